package trellis

import (
	"encoding/json"
	"strings"
	"time"
)

// LatestVersion is the name of the version of a function that can be changed.
const LatestVersion = "$LATEST"

// Function is a Lambda function: the version that can be changed, with what all its versions have in common.
type Function struct {
	Meta                             // ID is its name, unique in its account
	FunctionVersion                  // $LATEST
	LastVersion     int              `json:"lastVersion,omitempty"` // the number of the newest published one
	Reserved        *int             `json:"reserved,omitempty"`    // concurrent executions
	Policies        []FunctionPolicy `json:"policies,omitempty"`    // of the function, of its versions and aliases
}

// FunctionVersion is code with its settings.
type FunctionVersion struct {
	Version      string          `json:"version"` // $LATEST or a number
	RevisionID   string          `json:"revisionId"`
	ModifiedAt   time.Time       `json:"modifiedAt"`
	Description  string          `json:"description,omitempty"`
	Role         string          `json:"role"` // ARN
	PackageType  string          `json:"packageType"`
	Runtime      string          `json:"runtime,omitempty"`
	Handler      string          `json:"handler,omitempty"`
	Code         FunctionCode    `json:"code"`
	Architecture string          `json:"architecture"` // x86_64 or arm64
	Environment  Secret          `json:"environment"`  // the variables as a JSON object, empty without any
	Timeout      int             `json:"timeout"`      // seconds
	MemorySize   int             `json:"memorySize"`   // MB
	StorageSize  int             `json:"storageSize"`
	Layers       []string        `json:"layers,omitempty"` // ARNs
	VPC          *FunctionVPC    `json:"vpc,omitempty"`
	Image        *FunctionImage  `json:"image,omitempty"`
	Tracing      string          `json:"tracing"` // Active or PassThrough
	SnapStart    string          `json:"snapStart"`
	KMSKey       string          `json:"kmsKey,omitempty"`     // ARN
	DeadLetter   string          `json:"deadLetter,omitempty"` // ARN
	Logging      FunctionLogging `json:"logging"`
	FileSystems  []FunctionFiles `json:"fileSystems,omitempty"`
}

// FunctionCode is the code of a version: a zip that is kept outside of the store, a reference to an object, or an image.
type FunctionCode struct {
	SHA256    string `json:"sha256"` // base64, as AWS shows it
	Size      int64  `json:"size"`
	Kept      bool   `json:"kept,omitempty"` // the zip is kept by SHA256
	S3Bucket  string `json:"s3Bucket,omitempty"`
	S3Key     string `json:"s3Key,omitempty"`
	S3Version string `json:"s3Version,omitempty"`
	ImageURI  string `json:"imageUri,omitempty"`
}

// FunctionVPC is where a function has network interfaces.
type FunctionVPC struct {
	VPCID            string   `json:"vpcId"`
	SubnetIDs        []string `json:"subnetIds"`
	SecurityGroupIDs []string `json:"securityGroupIds"`
	IPv6             bool     `json:"ipv6,omitempty"` // to outside of the VPC
}

// FunctionImage overrides what an image says of its start.
type FunctionImage struct {
	EntryPoint       []string `json:"entryPoint,omitempty"`
	Command          []string `json:"command,omitempty"`
	WorkingDirectory string   `json:"workingDirectory,omitempty"`
}

// FunctionLogging says where and how a function logs.
type FunctionLogging struct {
	Format           string `json:"format"` // Text or JSON
	Group            string `json:"group"`
	ApplicationLevel string `json:"applicationLevel,omitempty"` // of JSON
	SystemLevel      string `json:"systemLevel,omitempty"`      // of JSON
}

// FunctionFiles mounts a file system.
type FunctionFiles struct {
	ARN       string `json:"arn"`
	MountPath string `json:"mountPath"`
}

// FunctionPolicy is a resource policy: who may call a function, or one of its versions or aliases.
type FunctionPolicy struct {
	Qualifier  string              `json:"qualifier,omitempty"` // empty for the function itself
	RevisionID string              `json:"revisionId"`
	Statements []FunctionStatement `json:"statements"`
}

// FunctionStatement is a statement of a FunctionPolicy, as AddPermission wrote it.
type FunctionStatement struct {
	ID   string          `json:"id"`
	Text json.RawMessage `json:"text"`
}

// Kind is KindFunction.
func (*Function) Kind() Kind { return KindFunction }

// Secrets is the environment.
func (f *Function) Secrets() []*Secret { return []*Secret{&f.Environment} }

// Variables are the environment variables of a version, nil without any.
func (v *FunctionVersion) Variables() (vars map[string]string) {
	_ = json.Unmarshal([]byte(v.Environment.Reveal()), &vars) // empty text: none
	return vars
}

// ARN is arn:aws:lambda:region:account:function:….
func (f *Function) ARN(region string) string { return FunctionARN(region, f.Account, f.ID) }

// FunctionARN is the ARN of a function, or of a version or alias when name is NAME:QUALIFIER.
func FunctionARN(region, account, name string) string {
	return ARN{"aws", "lambda", region, account, "function:" + name}.String()
}

// PublishedVersion is a version of a function that stays as it is.
type PublishedVersion struct {
	Meta // ID is the function's name, a slash and the number
	FunctionVersion
}

// Kind is KindPublishedVersion.
func (*PublishedVersion) Kind() Kind { return KindPublishedVersion }

// Secrets is the environment.
func (v *PublishedVersion) Secrets() []*Secret { return []*Secret{&v.Environment} }

// FunctionName is the name of the version's function.
func (v *PublishedVersion) FunctionName() string { return v.ID[:strings.IndexByte(v.ID, '/')] }

// FunctionAlias is a name for a version of a function, or for two by weight.
type FunctionAlias struct {
	Meta                           // ID is the function's name, a slash and its own
	Name        string             `json:"name"`
	Version     string             `json:"version"`
	Description string             `json:"description,omitempty"`
	RevisionID  string             `json:"revisionId"`
	Weights     map[string]float64 `json:"weights,omitempty"` // of further versions, 0 to 1
}

// Kind is KindFunctionAlias.
func (*FunctionAlias) Kind() Kind { return KindFunctionAlias }

// SplitFunctionARN reads the name of a function out of an ARN of Lambda, and the version or alias if it names one. The name
// is empty for what is not the ARN of a function.
func SplitFunctionARN(a ARN) (name, qualifier string) {
	rest, ok := strings.CutPrefix(a.Resource, "function:")
	if a.Service != "lambda" || !ok {
		return "", ""
	}
	name, qualifier, _ = strings.Cut(rest, ":")
	return name, qualifier
}
