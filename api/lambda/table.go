// Package lambda serves the API of AWS Lambda (2015-03-31): functions with versions, aliases and resource policies. What its
// operations mean is in package companion/function.
package lambda

import (
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/function"
)

// handler translates between the wire and the companion.
type handler struct{ functions *function.Functions }

// maxCode is how many bytes a request with code may have: a zip of 50 MB in base64, and settings (what Lambda itself says of
// a request that is larger).
const maxCode = 70167211

// New returns the service with its table. Not served is what would run functions, and what only those need that run: URLs,
// event sources, layers' contents, provisioned concurrency.
func New(f *function.Functions) api.Service {
	h := &handler{f}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("AddPermission", h.addPermission),
		api.Op("CreateAlias", h.createAlias),
		api.Unserved("CreateEventSourceMapping"),
		api.Op("CreateFunction", h.createFunction).Body(maxCode).Partly("kept whole, and not run yet"),
		api.Unserved("CreateFunctionUrlConfig"),
		api.Op("DeleteAlias", h.deleteAlias),
		api.Unserved("DeleteEventSourceMapping"),
		api.Op("DeleteFunction", h.deleteFunction),
		api.Unserved("DeleteFunctionCodeSigningConfig"),
		api.Op("DeleteFunctionConcurrency", h.deleteFunctionConcurrency),
		api.Unserved("DeleteFunctionEventInvokeConfig"),
		api.Unserved("DeleteFunctionUrlConfig"),
		api.Unserved("DeleteLayerVersion"),
		api.Unserved("DeleteProvisionedConcurrencyConfig"),
		api.Op("GetAccountSettings", h.getAccountSettings),
		api.Op("GetAlias", h.getAlias),
		api.Unserved("GetEventSourceMapping"),
		api.Op("GetFunction", h.getFunction),
		api.Op("GetFunctionCodeSigningConfig", h.getFunctionCodeSigningConfig),
		api.Op("GetFunctionConcurrency", h.getFunctionConcurrency),
		api.Op("GetFunctionConfiguration", h.getFunctionConfiguration),
		api.Unserved("GetFunctionEventInvokeConfig"),
		api.Unserved("GetFunctionRecursionConfig"),
		api.Unserved("GetFunctionUrlConfig"),
		api.Unserved("GetLayerVersion"),
		api.Unserved("GetLayerVersionByArn"),
		api.Op("GetPolicy", h.getPolicy),
		api.Unserved("GetProvisionedConcurrencyConfig"),
		api.Unserved("GetRuntimeManagementConfig"),
		api.Unserved("Invoke"),
		api.Unserved("InvokeAsync"),
		api.Unserved("InvokeWithResponseStream"),
		api.Op("ListAliases", h.listAliases),
		api.Unserved("ListEventSourceMappings"),
		api.Unserved("ListFunctionEventInvokeConfigs"),
		api.Unserved("ListFunctionUrlConfigs"),
		api.Op("ListFunctions", h.listFunctions),
		api.Unserved("ListLayerVersions"),
		api.Unserved("ListLayers"),
		api.Unserved("ListProvisionedConcurrencyConfigs"),
		api.Op("ListTags", h.listTags),
		api.Op("ListVersionsByFunction", h.listVersionsByFunction),
		api.Unserved("PublishLayerVersion"),
		api.Op("PublishVersion", h.publishVersion),
		api.Unserved("PutFunctionCodeSigningConfig"),
		api.Op("PutFunctionConcurrency", h.putFunctionConcurrency),
		api.Unserved("PutFunctionEventInvokeConfig"),
		api.Unserved("PutFunctionRecursionConfig"),
		api.Unserved("PutProvisionedConcurrencyConfig"),
		api.Unserved("PutRuntimeManagementConfig"),
		api.Op("RemovePermission", h.removePermission),
		api.Op("TagResource", h.tagResource),
		api.Op("UntagResource", h.untagResource),
		api.Op("UpdateAlias", h.updateAlias),
		api.Unserved("UpdateEventSourceMapping"),
		api.Op("UpdateFunctionCode", h.updateFunctionCode).Body(maxCode),
		api.Op("UpdateFunctionConfiguration", h.updateFunctionConfiguration),
		api.Unserved("UpdateFunctionEventInvokeConfig"),
		api.Unserved("UpdateFunctionUrlConfig"),
	}}
}

// page cuts a page out of items by their keys. Pages have 50 items unless the caller asks for another number.
func page[T any](c *api.Call, items []T, key func(T) string, size *int32, marker *string) ([]T, *string, error) {
	return api.Cut(c, items, key, marker, min(int(api.Or(size, 50)), 10000))
}
