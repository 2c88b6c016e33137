// Package tagging serves the Resource Groups Tagging API on the wire. What its operations mean is package companion/tag's
// matter.
package tagging

import (
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/tag"
)

// handler serves the operations.
type handler struct{ tags *tag.Tags }

// New returns the Resource Groups Tagging API with its table of operations.
func New(t *tag.Tags) api.Service {
	h := &handler{t}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Unserved("DescribeReportCreation"),
		api.Unserved("GetComplianceSummary"),
		api.Op("GetResources", h.getResources),
		api.Op("GetTagKeys", h.getTagKeys),
		api.Op("GetTagValues", h.getTagValues),
		api.Unserved("ListRequiredTags"),
		api.Unserved("StartReportCreation"),
		api.Op("TagResources", h.tagResources),
		api.Op("UntagResources", h.untagResources),
	}}
}
