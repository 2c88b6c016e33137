package lambda

import (
	"context"
	"fmt"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/function"
)

// publishVersion serves PublishVersion.
func (h *handler) publishVersion(ctx context.Context, c *api.Call, in *PublishVersionInput) (*PublishVersionOutput, error) {
	if in.PublishTo != nil {
		return nil, refused("PublishTo")
	}
	v, rev, err := h.functions.Publish(ctx, c.Caller, in.FunctionName, api.Value(in.Description), api.Value(in.CodeSha256), api.Value(in.RevisionId))
	if err != nil {
		return nil, err
	}
	return api.Done(c, (*PublishVersionOutput)(h.configuration(v)), rev, nil)
}

// listVersionsByFunction serves ListVersionsByFunction.
func (h *handler) listVersionsByFunction(ctx context.Context, c *api.Call, in *ListVersionsByFunctionInput) (*ListVersionsByFunctionOutput, error) {
	all, err := h.functions.Versions(ctx, c.Caller, in.FunctionName)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(v *function.View) string { return fmt.Sprintf("%10s", number(v.Version)) }, in.MaxItems, in.Marker)
	return &ListVersionsByFunctionOutput{NextMarker: next, Versions: api.Each(all, func(v *function.View) FunctionConfiguration { return *h.configuration(v) })}, err
}

// number is the number of a version, 0 for $LATEST, so that it comes first.
func number(version string) string {
	if version == trellis.LatestVersion {
		return "0"
	}
	return version
}

// alias is an alias as the wire has it.
func alias(a *function.Alias) *AliasConfiguration {
	w := &AliasConfiguration{AliasArn: &a.ARN, Description: &a.Description, FunctionVersion: &a.Version, Name: &a.Name, RevisionId: &a.RevisionID}
	if len(a.Weights) > 0 {
		w.RoutingConfig = &AliasRoutingConfiguration{AdditionalVersionWeights: a.Weights}
	}
	return w
}

// weights reads how an alias shares out, nil when nothing is said.
func weights(r *AliasRoutingConfiguration) *map[string]float64 {
	if r == nil {
		return nil
	}
	return &r.AdditionalVersionWeights
}

// createAlias serves CreateAlias.
func (h *handler) createAlias(ctx context.Context, c *api.Call, in *CreateAliasInput) (*CreateAliasOutput, error) {
	a, rev, err := h.functions.CreateAlias(ctx, c.Caller, in.FunctionName, in.Name, function.AliasSpec{Version: &in.FunctionVersion, Description: in.Description, Weights: weights(in.RoutingConfig)})
	if err != nil {
		return nil, err
	}
	return api.Done(c, (*CreateAliasOutput)(alias(a)), rev, nil)
}

// updateAlias serves UpdateAlias.
func (h *handler) updateAlias(ctx context.Context, c *api.Call, in *UpdateAliasInput) (*UpdateAliasOutput, error) {
	a, rev, err := h.functions.UpdateAlias(ctx, c.Caller, in.FunctionName, in.Name, function.AliasSpec{Version: in.FunctionVersion, Description: in.Description, Weights: weights(in.RoutingConfig)}, api.Value(in.RevisionId))
	if err != nil {
		return nil, err
	}
	return api.Done(c, (*UpdateAliasOutput)(alias(a)), rev, nil)
}

// getAlias serves GetAlias.
func (h *handler) getAlias(ctx context.Context, c *api.Call, in *GetAliasInput) (*GetAliasOutput, error) {
	a, err := h.functions.Alias(ctx, c.Caller, in.FunctionName, in.Name)
	if err != nil {
		return nil, err
	}
	return (*GetAliasOutput)(alias(a)), nil
}

// listAliases serves ListAliases.
func (h *handler) listAliases(ctx context.Context, c *api.Call, in *ListAliasesInput) (*ListAliasesOutput, error) {
	all, err := h.functions.Aliases(ctx, c.Caller, in.FunctionName, api.Value(in.FunctionVersion))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(a *function.Alias) string { return a.Name }, in.MaxItems, in.Marker)
	return &ListAliasesOutput{NextMarker: next, Aliases: api.Each(all, func(a *function.Alias) AliasConfiguration { return *alias(a) })}, err
}

// deleteAlias serves DeleteAlias.
func (h *handler) deleteAlias(ctx context.Context, c *api.Call, in *DeleteAliasInput) (*DeleteAliasOutput, error) {
	rev, err := h.functions.DeleteAlias(ctx, c.Caller, in.FunctionName, in.Name)
	return api.Done(c, &DeleteAliasOutput{}, rev, err)
}
