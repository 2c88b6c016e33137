// Package ssm serves the part of AWS Systems Manager's API (2014-11-06) that is about parameters. What its operations mean is
// in package parameter.
package ssm

import (
	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/parameter"
)

// handler translates between the wire and the parameters.
type handler struct{ parameters *parameter.Parameters }

// New returns the service with its table. Not served is what would need an agent on instances.
func New(p *parameter.Parameters) api.Service {
	h := &handler{p}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("AddTagsToResource", h.addTagsToResource),
		api.Op("DeleteParameter", h.deleteParameter),
		api.Op("DeleteParameters", h.deleteParameters),
		api.Unserved("DescribeInstanceInformation"),
		api.Op("DescribeParameters", h.describeParameters),
		api.Unserved("GetCommandInvocation"),
		api.Op("GetParameter", h.getParameter),
		api.Op("GetParameterHistory", h.getParameterHistory),
		api.Op("GetParameters", h.getParameters),
		api.Op("GetParametersByPath", h.getParametersByPath),
		api.Op("LabelParameterVersion", h.labelParameterVersion),
		api.Unserved("ListCommands"),
		api.Op("ListTagsForResource", h.listTagsForResource),
		api.Op("PutParameter", h.putParameter).Partly("without parameter policies"),
		api.Op("RemoveTagsFromResource", h.removeTagsFromResource),
		api.Unserved("SendCommand"),
		api.Unserved("StartSession"),
		api.Op("UnlabelParameterVersion", h.unlabelParameterVersion),
	}}
}

// page cuts a page out of items by their keys; most is its size when the caller names none.
func page[T any](c *api.Call, items []T, key func(T) string, size *int32, token *string, most int32) ([]T, *string, error) {
	items, next, err := api.Cut(c, items, key, token, int(api.Or(size, most)))
	if err != nil {
		return nil, nil, trellis.NewError(400, "InvalidNextToken", "The NextToken is not valid.")
	}
	return items, next, nil
}
