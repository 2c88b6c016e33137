package function

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// Settings is what a request says of the settings of a function; nil members stay as they are.
type Settings struct {
	Role, Runtime, Handler, Description *string
	Timeout, MemorySize, StorageSize    *int
	Environment                         *map[string]string
	Layers                              *[]string
	SubnetIDs, SecurityGroupIDs         *[]string // both are given, or neither
	IPv6                                bool
	Image                               *trellis.FunctionImage
	Tracing, SnapStart                  *string
	KMSKey, DeadLetter                  *string
	Logging                             *trellis.FunctionLogging
	FileSystems                         *[]trellis.FunctionFiles
}

// keys are the condition keys of a request (Service authorization reference, AWS Lambda).
func (s *Settings) keys() map[string][]string {
	k := map[string][]string{}
	for name, values := range map[string]*[]string{"lambda:layer": s.Layers, "lambda:subnetids": s.SubnetIDs, "lambda:securitygroupids": s.SecurityGroupIDs} {
		if values != nil && len(*values) > 0 {
			k[name] = *values
		}
	}
	return k
}

// defaults are the settings of a new function before a request says anything (Lambda API reference, CreateFunction).
func defaults(name, packageType, architecture string) trellis.FunctionVersion {
	if architecture == "" {
		architecture = "x86_64"
	}
	return trellis.FunctionVersion{Version: trellis.LatestVersion, PackageType: packageType, Architecture: architecture, Timeout: 3, MemorySize: 128, StorageSize: 512,
		Tracing: "PassThrough", SnapStart: "None", Logging: trellis.FunctionLogging{Format: "Text", Group: "/aws/lambda/" + name}}
}

// Limits of settings (Lambda developer guide, quotas).
const (
	maxTimeout     = 900
	maxMemory      = 10240
	maxStorage     = 10240
	maxEnvironment = 4096
	maxLayers      = 5
)

// reserved are names that an environment can't set, as Lambda sets them (Lambda developer guide, environment variables).
var reserved = []string{"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"}

// set writes a member that was given.
func set[T any](to *T, given *T) {
	if given != nil {
		*to = *given
	}
}

// apply writes settings into a function, refuses what it can't have, and gives it a new revision.
func (f *Functions) apply(tx *store.Tx, c *authpolicy.Caller, fn *trellis.Function, in Settings) error {
	v := &fn.FunctionVersion
	if in.Role != nil && *in.Role != v.Role {
		if err := f.role(tx, c, *in.Role, fn.ARN(f.Region)); err != nil {
			return err
		}
	}
	set(&v.Role, in.Role)
	set(&v.Runtime, in.Runtime)
	set(&v.Handler, in.Handler)
	set(&v.Description, in.Description)
	set(&v.Timeout, in.Timeout)
	set(&v.MemorySize, in.MemorySize)
	set(&v.StorageSize, in.StorageSize)
	set(&v.Layers, in.Layers)
	set(&v.Tracing, in.Tracing)
	set(&v.SnapStart, in.SnapStart)
	set(&v.KMSKey, in.KMSKey)
	set(&v.DeadLetter, in.DeadLetter)
	set(&v.FileSystems, in.FileSystems)
	if in.Image != nil {
		v.Image = in.Image
	}
	if in.Logging != nil {
		v.Logging = logging(*in.Logging, fn.ID)
	}
	if err := environment(v, in.Environment); err != nil {
		return err
	}
	if err := inVPC(tx, fn, in); err != nil {
		return err
	}
	if err := checkVersion(v); err != nil {
		return err
	}
	f.touch(fn)
	return nil
}

// logging completes where and how a function logs.
func logging(l trellis.FunctionLogging, name string) trellis.FunctionLogging {
	if l.Format == "" {
		l.Format = "Text"
	}
	if l.Group == "" {
		l.Group = "/aws/lambda/" + name
	}
	if l.Format == "JSON" {
		if l.ApplicationLevel == "" {
			l.ApplicationLevel = "INFO"
		}
		if l.SystemLevel == "" {
			l.SystemLevel = "INFO"
		}
	}
	return l
}

// environment gives a version other variables, unless vars is nil.
func environment(v *trellis.FunctionVersion, vars *map[string]string) error {
	if vars == nil {
		return nil
	}
	size := 0
	for name, value := range *vars {
		size += len(name) + len(value)
		if slices.Contains(reserved, name) {
			return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", name)
		}
	}
	if size > maxEnvironment {
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.")
	}
	v.Environment = trellis.Secret{}
	if len(*vars) > 0 {
		text, err := json.Marshal(*vars)
		if err != nil {
			return err
		}
		v.Environment = trellis.NewSecret(string(text))
	}
	return nil
}

// inVPC puts a function into subnets of a VPC, or out of any when none is given.
func inVPC(tx *store.Tx, fn *trellis.Function, in Settings) error {
	if in.SubnetIDs == nil && in.SecurityGroupIDs == nil {
		return nil
	}
	var subnets, groups []string
	set(&subnets, in.SubnetIDs)
	set(&groups, in.SecurityGroupIDs)
	if len(subnets) == 0 && len(groups) == 0 {
		fn.VPC = nil
		return nil
	}
	if len(subnets) == 0 || len(groups) == 0 {
		return invalid("SubnetIds and SecurityIds must coexist or be both empty list.")
	}
	v := &trellis.FunctionVPC{SubnetIDs: subnets, SecurityGroupIDs: groups, IPv6: in.IPv6}
	for _, id := range subnets {
		s, err := companion.Get[*trellis.Subnet](tx, fn.Account+"/"+id, invalid("Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: The subnet ID '%s' does not exist", id))
		if err != nil {
			return err
		}
		if v.VPCID != "" && v.VPCID != s.VPCID {
			return invalid("Security Groups and subnets are required to be in the same VPC.")
		}
		v.VPCID = s.VPCID
	}
	for _, id := range groups {
		g, err := companion.Get[*trellis.SecurityGroup](tx, fn.Account+"/"+id, invalid("Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error Message: The security group '%s' does not exist", id))
		if err != nil {
			return err
		}
		if g.VPCID != v.VPCID {
			return invalid("Security Groups are required to be in the same VPC.")
		}
	}
	fn.VPC = v
	return nil
}

// checkVersion refuses settings that no function has, or not together.
func checkVersion(v *trellis.FunctionVersion) error {
	arn := v.DeadLetter
	a, err := trellis.ParseARN(arn)
	switch {
	case v.PackageType == PackageZip && (v.Runtime == "" || v.Handler == ""):
		return invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	case v.PackageType == PackageZip && v.Image != nil:
		return invalid("ImageConfig is not supported for functions created with deployment packages.")
	case v.PackageType == PackageImage && (v.Runtime != "" || v.Handler != ""):
		return invalid("Please don't provide Handler or Runtime or Layer when the intent is to create a function with a container image.")
	case v.PackageType == PackageImage && len(v.Layers) > 0:
		return invalid("Please don't provide Handler or Runtime or Layer when the intent is to create a function with a container image.")
	case v.Timeout < 1 || v.Timeout > maxTimeout:
		return tooMuch("timeout", v.Timeout, maxTimeout)
	case v.MemorySize < 128 || v.MemorySize > maxMemory:
		return tooMuch("memorySize", v.MemorySize, maxMemory)
	case v.StorageSize < 512 || v.StorageSize > maxStorage:
		return tooMuch("ephemeralStorage.size", v.StorageSize, maxStorage)
	case len(v.Layers) > maxLayers:
		return invalid("You cannot reference more than %d layers.", maxLayers)
	case arn != "" && (err != nil || a.Service != "sqs" && a.Service != "sns"):
		return invalid("The dead letter target %s must be the ARN of an SQS queue or SNS topic.", arn)
	case len(v.FileSystems) > 0 && v.VPC == nil:
		return invalid("Function must be configured to execute in a VPC to reference access points.")
	}
	for i, layer := range v.Layers {
		name := layer[:strings.LastIndexByte(layer, ':')]
		if slices.ContainsFunc(v.Layers[:i], func(o string) bool { return strings.HasPrefix(o, name+":") }) {
			return invalid("Two different versions of the same layer are not allowed to be referenced in the same function. %s", name)
		}
	}
	return nil
}

// tooMuch is for a number over its limit, in the words of AWS's own checks.
func tooMuch(name string, value, most int) error {
	return trellis.NewError(400, "ValidationException", "1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d", value, name, most)
}
