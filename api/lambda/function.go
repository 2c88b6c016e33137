package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/function"
)

// timeForm is how Lambda writes times.
const timeForm = "2006-01-02T15:04:05.000-0700"

// configuration is a version of a function as the wire has it.
func (h *handler) configuration(v *function.View) *FunctionConfiguration {
	w := &FunctionConfiguration{Architectures: []string{v.Architecture}, CodeSha256: &v.Code.SHA256, CodeSize: &v.Code.Size, Description: &v.Description,
		EphemeralStorage: &EphemeralStorage{Size: int32(v.StorageSize)}, FunctionArn: &v.ARN, FunctionName: &v.Name, Handler: api.Some(v.Handler), KMSKeyArn: api.Some(v.KMSKey),
		LastModified: new(v.ModifiedAt.Format(timeForm)), LastUpdateStatus: new("Successful"), MemorySize: new(int32(v.MemorySize)), PackageType: &v.PackageType,
		RevisionId: &v.RevisionID, Role: &v.Role, Runtime: api.Some(v.Runtime), SnapStart: snapStart(v), State: new("Active"), Timeout: new(int32(v.Timeout)),
		TracingConfig: &TracingConfigResponse{Mode: &v.Tracing}, Version: &v.Version,
		LoggingConfig: &LoggingConfig{LogFormat: &v.Logging.Format, LogGroup: &v.Logging.Group, ApplicationLogLevel: api.Some(v.Logging.ApplicationLevel), SystemLogLevel: api.Some(v.Logging.SystemLevel)}}
	if v.Runtime != "" {
		sum := sha256.Sum256([]byte(v.Runtime))
		w.RuntimeVersionConfig = &RuntimeVersionConfig{RuntimeVersionArn: new(trellis.ARN{Partition: "aws", Service: "lambda", Region: h.functions.Region, Resource: "runtime:" + hex.EncodeToString(sum[:])}.String())}
	}
	if vars := v.Variables(); vars != nil {
		w.Environment = &EnvironmentResponse{Variables: vars}
	}
	if v.VPC != nil {
		w.VpcConfig = &VpcConfigResponse{VpcId: &v.VPC.VPCID, SubnetIds: v.VPC.SubnetIDs, SecurityGroupIds: v.VPC.SecurityGroupIDs, Ipv6AllowedForDualStack: &v.VPC.IPv6}
	}
	if v.Image != nil {
		w.ImageConfigResponse = &ImageConfigResponse{ImageConfig: &ImageConfig{EntryPoint: v.Image.EntryPoint, Command: v.Image.Command, WorkingDirectory: api.Some(v.Image.WorkingDirectory)}}
	}
	if v.DeadLetter != "" {
		w.DeadLetterConfig = &DeadLetterConfig{TargetArn: &v.DeadLetter}
	}
	for _, arn := range v.Layers {
		w.Layers = append(w.Layers, Layer{Arn: &arn, CodeSize: new(int64(0))})
	}
	for _, f := range v.FileSystems {
		w.FileSystemConfigs = append(w.FileSystemConfigs, FileSystemConfig{Arn: f.ARN, LocalMountPath: f.MountPath})
	}
	return w
}

// snapStart is what a version says of snapshots, which Trellis never takes.
func snapStart(v *function.View) *SnapStartResponse {
	return &SnapStartResponse{ApplyOn: &v.SnapStart, OptimizationStatus: new("Off")}
}

// changed is configuration for the answer of a change: until the next question, AWS shows the function as being made or
// changed.
func (h *handler) changed(v *function.View, made bool) *FunctionConfiguration {
	w := h.configuration(v)
	switch {
	case !v.Pending:
	case made:
		w.State, w.StateReason, w.StateReasonCode = new("Pending"), new("The function is being created."), new("Creating")
		w.LastUpdateStatus = nil
	default:
		w.LastUpdateStatus, w.LastUpdateStatusReason, w.LastUpdateStatusReasonCode = new("InProgress"), new("The function is being created."), new("Creating")
	}
	return w
}

// settings reads what the members that requests have in common say.
func settings(vpc *VpcConfig, env *Environment, image *ImageConfig, storage *EphemeralStorage, tracing *TracingConfig, snap *SnapStart, dead *DeadLetterConfig, log *LoggingConfig, files []FileSystemConfig) function.Settings {
	var s function.Settings
	if vpc != nil {
		s.SubnetIDs, s.SecurityGroupIDs, s.IPv6 = &vpc.SubnetIds, &vpc.SecurityGroupIds, api.Value(vpc.Ipv6AllowedForDualStack)
	}
	if env != nil {
		s.Environment = &env.Variables
	}
	if image != nil {
		s.Image = &trellis.FunctionImage{EntryPoint: image.EntryPoint, Command: image.Command, WorkingDirectory: api.Value(image.WorkingDirectory)}
	}
	if storage != nil {
		s.StorageSize = new(int(storage.Size))
	}
	if tracing != nil {
		s.Tracing = tracing.Mode
	}
	if snap != nil {
		s.SnapStart = snap.ApplyOn
	}
	if dead != nil {
		s.DeadLetter = new(api.Value(dead.TargetArn))
	}
	if log != nil {
		s.Logging = &trellis.FunctionLogging{Format: api.Value(log.LogFormat), Group: api.Value(log.LogGroup), ApplicationLevel: api.Value(log.ApplicationLogLevel), SystemLevel: api.Value(log.SystemLogLevel)}
	}
	if files != nil {
		s.FileSystems = new(api.Each(files, func(f FileSystemConfig) trellis.FunctionFiles {
			return trellis.FunctionFiles{ARN: f.Arn, MountPath: f.LocalMountPath}
		}))
	}
	return s
}

// list is a list of a request, nil when it is absent.
func list(l []string) *[]string {
	if l == nil {
		return nil
	}
	return &l
}

// refused is for settings that Trellis has nothing to carry out with.
func refused(what string) error {
	return trellis.NewError(400, "InvalidParameterValueException", "Trellis does not serve %s of functions: leave it out.", what)
}

// createFunction serves CreateFunction.
func (h *handler) createFunction(ctx context.Context, c *api.Call, in *CreateFunctionInput) (*CreateFunctionOutput, error) {
	for what, given := range map[string]bool{"CapacityProviderConfig": in.CapacityProviderConfig != nil, "DurableConfig": in.DurableConfig != nil,
		"TenancyConfig": in.TenancyConfig != nil, "AcceleratorConfig": in.AcceleratorConfig != nil, "RuntimeConfig": in.RuntimeConfig != nil,
		"CodeSigningConfigArn": in.CodeSigningConfigArn != nil, "PublishTo": in.PublishTo != nil} {
		if given {
			return nil, refused(what)
		}
	}
	s := settings(in.VpcConfig, in.Environment, in.ImageConfig, in.EphemeralStorage, in.TracingConfig, in.SnapStart, in.DeadLetterConfig, in.LoggingConfig, in.FileSystemConfigs)
	s.Role, s.Runtime, s.Handler, s.Description, s.KMSKey = &in.Role, in.Runtime, in.Handler, in.Description, in.KMSKeyArn
	s.Timeout, s.MemorySize, s.Layers = api.Int(in.Timeout), api.Int(in.MemorySize), list(in.Layers)
	architecture := ""
	if len(in.Architectures) > 0 {
		architecture = in.Architectures[0]
	}
	src := function.Source{Zip: in.Code.ZipFile, Bucket: api.Value(in.Code.S3Bucket), Key: api.Value(in.Code.S3Key), ItemVersion: api.Value(in.Code.S3ObjectVersion), ImageURI: api.Value(in.Code.ImageUri)}
	v, rev, err := h.functions.CreateFunction(ctx, c.Caller, in.FunctionName, s, api.Value(in.PackageType), architecture, src, in.Tags, api.Value(in.Publish))
	if err != nil {
		return nil, err
	}
	return api.Done(c, (*CreateFunctionOutput)(h.changed(v, true)), rev, nil)
}

// getFunction serves GetFunction.
func (h *handler) getFunction(ctx context.Context, c *api.Call, in *GetFunctionInput) (*GetFunctionOutput, error) {
	v, err := h.functions.Function(ctx, c.Caller, "GetFunction", in.FunctionName, api.Value(in.Qualifier))
	if err != nil {
		return nil, err
	}
	out := &GetFunctionOutput{Configuration: h.configuration(v), Code: &FunctionCodeLocation{RepositoryType: new("S3")}, Tags: v.Tags}
	if link := h.functions.Link(v.Code); link != "" {
		out.Code.Location = new(c.Endpoint + link)
	}
	if v.Code.ImageURI != "" {
		out.Code = &FunctionCodeLocation{RepositoryType: new("ECR"), ImageUri: &v.Code.ImageURI, ResolvedImageUri: &v.Code.ImageURI}
	}
	if v.Reserved != nil {
		out.Concurrency = &Concurrency{ReservedConcurrentExecutions: new(int32(*v.Reserved))}
	}
	return out, nil
}

// getFunctionConfiguration serves GetFunctionConfiguration.
func (h *handler) getFunctionConfiguration(ctx context.Context, c *api.Call, in *GetFunctionConfigurationInput) (*GetFunctionConfigurationOutput, error) {
	v, err := h.functions.Function(ctx, c.Caller, "GetFunctionConfiguration", in.FunctionName, api.Value(in.Qualifier))
	if err != nil {
		return nil, err
	}
	return (*GetFunctionConfigurationOutput)(h.configuration(v)), nil
}

// listFunctions serves ListFunctions.
func (h *handler) listFunctions(ctx context.Context, c *api.Call, in *ListFunctionsInput) (*ListFunctionsOutput, error) {
	all, err := h.functions.List(ctx, c.Caller, in.FunctionVersion != nil)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(v *function.View) string { return v.ARN }, in.MaxItems, in.Marker)
	return &ListFunctionsOutput{NextMarker: next, Functions: api.Each(all, func(v *function.View) FunctionConfiguration { return *h.configuration(v) })}, err
}

// updateFunctionCode serves UpdateFunctionCode.
func (h *handler) updateFunctionCode(ctx context.Context, c *api.Call, in *UpdateFunctionCodeInput) (*UpdateFunctionCodeOutput, error) {
	if in.PublishTo != nil {
		return nil, refused("PublishTo")
	}
	src := function.Source{Zip: in.ZipFile, Bucket: api.Value(in.S3Bucket), Key: api.Value(in.S3Key), ItemVersion: api.Value(in.S3ObjectVersion), ImageURI: api.Value(in.ImageUri)}
	var architecture *string
	if len(in.Architectures) > 0 {
		architecture = &in.Architectures[0]
	}
	v, rev, err := h.functions.UpdateCode(ctx, c.Caller, in.FunctionName, src, architecture, api.Value(in.RevisionId), api.Value(in.Publish), api.Value(in.DryRun))
	if err != nil {
		return nil, err
	}
	return api.Done(c, (*UpdateFunctionCodeOutput)(h.changed(v, false)), rev, nil)
}

// updateFunctionConfiguration serves UpdateFunctionConfiguration.
func (h *handler) updateFunctionConfiguration(ctx context.Context, c *api.Call, in *UpdateFunctionConfigurationInput) (*UpdateFunctionConfigurationOutput, error) {
	for what, given := range map[string]bool{"CapacityProviderConfig": in.CapacityProviderConfig != nil, "DurableConfig": in.DurableConfig != nil,
		"AcceleratorConfig": in.AcceleratorConfig != nil, "RuntimeConfig": in.RuntimeConfig != nil} {
		if given {
			return nil, refused(what)
		}
	}
	s := settings(in.VpcConfig, in.Environment, in.ImageConfig, in.EphemeralStorage, in.TracingConfig, in.SnapStart, in.DeadLetterConfig, in.LoggingConfig, in.FileSystemConfigs)
	s.Role, s.Runtime, s.Handler, s.Description, s.KMSKey = in.Role, in.Runtime, in.Handler, in.Description, in.KMSKeyArn
	s.Timeout, s.MemorySize, s.Layers = api.Int(in.Timeout), api.Int(in.MemorySize), list(in.Layers)
	v, rev, err := h.functions.UpdateSettings(ctx, c.Caller, in.FunctionName, s, api.Value(in.RevisionId))
	if err != nil {
		return nil, err
	}
	return api.Done(c, (*UpdateFunctionConfigurationOutput)(h.changed(v, false)), rev, nil)
}

// deleteFunction serves DeleteFunction.
func (h *handler) deleteFunction(ctx context.Context, c *api.Call, in *DeleteFunctionInput) (*DeleteFunctionOutput, error) {
	rev, err := h.functions.Delete(ctx, c.Caller, in.FunctionName, api.Value(in.Qualifier))
	return api.Done(c, &DeleteFunctionOutput{StatusCode: new(int32(204))}, rev, err)
}

// getFunctionCodeSigningConfig serves GetFunctionCodeSigningConfig: no function has one.
func (h *handler) getFunctionCodeSigningConfig(ctx context.Context, c *api.Call, in *GetFunctionCodeSigningConfigInput) (*GetFunctionCodeSigningConfigOutput, error) {
	v, err := h.functions.Function(ctx, c.Caller, "GetFunctionCodeSigningConfig", in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	return &GetFunctionCodeSigningConfigOutput{FunctionName: v.Name}, nil
}
