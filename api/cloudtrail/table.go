// Package cloudtrail serves CloudTrail's event history on the wire: what the audit trail of package telemetry keeps, in
// the form of CloudTrail's events. There are no trails that deliver events elsewhere.
package cloudtrail

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/telemetry"
)

// handler serves the operations.
type handler struct{ trail *telemetry.Trail }

// New returns CloudTrail with its table of operations.
func New(t *telemetry.Trail) api.Service {
	h := &handler{t}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Unserved("AddTags"),
		api.Unserved("CreateEventDataStore"),
		api.Unserved("CreateTrail"),
		api.Unserved("DeleteTrail"),
		api.Op("DescribeTrails", none[DescribeTrailsInput](DescribeTrailsOutput{TrailList: []Trail{}})),
		api.Op("GetEventSelectors", noTrail[GetEventSelectorsOutput](func(in *GetEventSelectorsInput) string { return in.TrailName })),
		api.Op("GetInsightSelectors", noTrail[GetInsightSelectorsOutput](func(in *GetInsightSelectorsInput) string { return api.Value(in.TrailName) })),
		api.Op("GetTrail", noTrail[GetTrailOutput](func(in *GetTrailInput) string { return in.Name })),
		api.Op("GetTrailStatus", noTrail[GetTrailStatusOutput](func(in *GetTrailStatusInput) string { return in.Name })),
		api.Op("ListChannels", none[ListChannelsInput](ListChannelsOutput{Channels: []Channel{}})),
		api.Op("ListEventDataStores", none[ListEventDataStoresInput](ListEventDataStoresOutput{EventDataStores: []EventDataStore{}})),
		api.Unserved("ListPublicKeys"),
		api.Op("ListTags", listTags),
		api.Op("ListTrails", none[ListTrailsInput](ListTrailsOutput{Trails: []TrailInfo{}})),
		api.Op("LookupEvents", h.lookupEvents),
		api.Unserved("PutEventSelectors"),
		api.Unserved("PutInsightSelectors"),
		api.Unserved("RemoveTags"),
		api.Unserved("StartLogging"),
		api.Unserved("StopLogging"),
		api.Unserved("UpdateTrail"),
	}}
}

// none serves an operation that lists what there is none of.
func none[In, Out any](empty Out) func(context.Context, *api.Call, *In) (*Out, error) {
	return func(_ context.Context, c *api.Call, _ *In) (*Out, error) {
		return new(empty), c.Authorize("cloudtrail:"+c.Operation, "*", nil)
	}
}

// noTrail serves an operation on one trail, of which there is none.
func noTrail[Out, In any](name func(*In) string) func(context.Context, *api.Call, *In) (*Out, error) {
	return func(_ context.Context, c *api.Call, in *In) (*Out, error) {
		if err := c.Authorize("cloudtrail:"+c.Operation, "*", nil); err != nil {
			return nil, err
		}
		return nil, trellis.NewError(400, "TrailNotFoundException", "Unknown trail: %s for the user: %s", name(in), c.Account)
	}
}

// listTags serves ListTags: nothing of CloudTrail's that could have tags exists.
func listTags(_ context.Context, c *api.Call, in *ListTagsInput) (*ListTagsOutput, error) {
	if err := c.Authorize("cloudtrail:ListTags", "*", nil); err != nil {
		return nil, err
	}
	for _, id := range in.ResourceIdList {
		return nil, trellis.NewError(400, "ResourceNotFoundException", "Resource %s not found", id)
	}
	return &ListTagsOutput{ResourceTagList: []ResourceTag{}}, nil
}
