package ssm

import (
	"context"
	"fmt"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/parameter"
)

// shown is a version of a parameter as the wire has it.
func shown(v parameter.Version) Parameter {
	return Parameter{ARN: &v.ARN, DataType: &v.DataType, LastModifiedDate: &v.UpdatedAt, Name: &v.ID, Type: new(string(v.Type)), Value: &v.Value, Version: &v.ParameterVersion.Version}
}

// getParameter serves GetParameter.
func (h *handler) getParameter(ctx context.Context, c *api.Call, in *GetParameterInput) (*GetParameterOutput, error) {
	v, err := h.parameters.Get(ctx, c.Caller, in.Name, api.Value(in.WithDecryption))
	if err != nil {
		return nil, err
	}
	p := shown(v)
	p.Selector = api.Some(h.parameters.ParseName(c.Caller, in.Name).Selector)
	return &GetParameterOutput{Parameter: &p}, nil
}

// getParameters serves GetParameters.
func (h *handler) getParameters(ctx context.Context, c *api.Call, in *GetParametersInput) (*GetParametersOutput, error) {
	all, invalid, err := h.parameters.GetAll(ctx, c.Caller, in.Names, api.Value(in.WithDecryption))
	return &GetParametersOutput{InvalidParameters: append([]string{}, invalid...), Parameters: api.Each(all, shown)}, err
}

// getParametersByPath serves GetParametersByPath. Values are read of the parameters that the filters let pass alone.
func (h *handler) getParametersByPath(ctx context.Context, c *api.Call, in *GetParametersByPathInput) (*GetParametersByPathOutput, error) {
	keep, err := filtered(in.ParameterFilters)
	if err != nil {
		return nil, err
	}
	all, err := h.parameters.ByPath(ctx, c.Caller, in.Path, api.Value(in.Recursive), api.Value(in.WithDecryption), keep)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(v parameter.Version) string { return v.ID }, in.MaxResults, in.NextToken, 10)
	return &GetParametersByPathOutput{NextToken: next, Parameters: api.Each(all, shown)}, err
}

// describeParameters serves DescribeParameters. The older filters are the newer ones that begin with a value, of Name, or equal it.
func (h *handler) describeParameters(ctx context.Context, c *api.Call, in *DescribeParametersInput) (*DescribeParametersOutput, error) {
	filters := in.ParameterFilters
	for _, f := range in.Filters {
		option := "Equals"
		if f.Key == "Name" {
			option = "BeginsWith"
		}
		filters = append(filters, ParameterStringFilter{Key: f.Key, Option: &option, Values: f.Values})
	}
	keep, err := filtered(filters)
	if err != nil {
		return nil, err
	}
	found, err := h.parameters.Describe(ctx, c.Caller)
	if err != nil {
		return nil, err
	}
	all := []*trellis.Parameter{}
	for _, n := range found {
		if keep(n) && !api.Value(in.Shared) {
			all = append(all, n)
		}
	}
	all, next, err := page(c, all, func(n *trellis.Parameter) string { return n.ID }, in.MaxResults, in.NextToken, 50)
	return &DescribeParametersOutput{NextToken: next, Parameters: api.Each(all, func(n *trellis.Parameter) ParameterMetadata {
		return ParameterMetadata{ARN: new(n.ARN(h.parameters.Region)), AllowedPattern: api.Some(n.AllowedPattern), DataType: &n.DataType, Description: api.Some(n.Description), KeyId: api.Some(n.KeyID),
			LastModifiedDate: &n.UpdatedAt, LastModifiedUser: &n.ModifiedBy, Name: &n.ID, Policies: []ParameterInlinePolicy{}, Tier: &n.Tier, Type: new(string(n.Type)), Version: &n.Version}
	})}, err
}

// getParameterHistory serves GetParameterHistory.
func (h *handler) getParameterHistory(ctx context.Context, c *api.Call, in *GetParameterHistoryInput) (*GetParameterHistoryOutput, error) {
	all, err := h.parameters.History(ctx, c.Caller, in.Name, api.Value(in.WithDecryption))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(v parameter.Version) string { return fmt.Sprintf("%010d", v.ParameterVersion.Version) }, in.MaxResults, in.NextToken, 50)
	return &GetParameterHistoryOutput{NextToken: next, Parameters: api.Each(all, func(v parameter.Version) ParameterHistory {
		return ParameterHistory{AllowedPattern: api.Some(v.AllowedPattern), DataType: &v.DataType, Description: api.Some(v.Description), KeyId: api.Some(v.KeyID), Labels: append([]string{}, v.Labels...),
			LastModifiedDate: &v.UpdatedAt, LastModifiedUser: &v.ModifiedBy, Name: &v.ID, Policies: []ParameterInlinePolicy{}, Tier: &v.Tier, Type: new(string(v.Type)), Value: &v.Value, Version: &v.ParameterVersion.Version}
	})}, err
}

// putParameter serves PutParameter.
func (h *handler) putParameter(ctx context.Context, c *api.Call, in *PutParameterInput) (*PutParameterOutput, error) {
	if in.Policies != nil {
		return nil, trellis.NewError(400, "InvalidPolicyTypeException", "Trellis has no policies of parameters.")
	}
	n, rev, err := h.parameters.Put(ctx, c.Caller, parameter.Put{Name: in.Name, Value: in.Value, Description: in.Description, AllowedPattern: in.AllowedPattern,
		DataType: api.Value(in.DataType), KeyID: api.Value(in.KeyId), Tier: api.Value(in.Tier), Type: trellis.ParameterType(api.Value(in.Type)), Overwrite: api.Value(in.Overwrite), Tags: fromTags(in.Tags)})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &PutParameterOutput{Tier: &n.Tier, Version: &n.Version}, rev, nil)
}

// deleteParameter serves DeleteParameter.
func (h *handler) deleteParameter(ctx context.Context, c *api.Call, in *DeleteParameterInput) (*DeleteParameterOutput, error) {
	_, invalid, rev, err := h.parameters.Delete(ctx, c.Caller, "ssm:DeleteParameter", []string{in.Name})
	if err == nil && len(invalid) > 0 {
		err = trellis.NewError(400, "ParameterNotFound", "Parameter %s not found.", in.Name)
	}
	return api.Done(c, &DeleteParameterOutput{}, rev, err)
}

// deleteParameters serves DeleteParameters.
func (h *handler) deleteParameters(ctx context.Context, c *api.Call, in *DeleteParametersInput) (*DeleteParametersOutput, error) {
	deleted, invalid, rev, err := h.parameters.Delete(ctx, c.Caller, "ssm:DeleteParameters", in.Names)
	return api.Done(c, &DeleteParametersOutput{DeletedParameters: append([]string{}, deleted...), InvalidParameters: append([]string{}, invalid...)}, rev, err)
}

// labelParameterVersion serves LabelParameterVersion.
func (h *handler) labelParameterVersion(ctx context.Context, c *api.Call, in *LabelParameterVersionInput) (*LabelParameterVersionOutput, error) {
	at, invalid, _, rev, err := h.parameters.Label(ctx, c.Caller, "ssm:LabelParameterVersion", in.Name, api.Value(in.ParameterVersion), in.Labels, false)
	return api.Done(c, &LabelParameterVersionOutput{InvalidLabels: append([]string{}, invalid...), ParameterVersion: &at}, rev, err)
}

// unlabelParameterVersion serves UnlabelParameterVersion.
func (h *handler) unlabelParameterVersion(ctx context.Context, c *api.Call, in *UnlabelParameterVersionInput) (*UnlabelParameterVersionOutput, error) {
	_, invalid, removed, rev, err := h.parameters.Label(ctx, c.Caller, "ssm:UnlabelParameterVersion", in.Name, in.ParameterVersion, in.Labels, true)
	return api.Done(c, &UnlabelParameterVersionOutput{InvalidLabels: append([]string{}, invalid...), RemovedLabels: append([]string{}, removed...)}, rev, err)
}
