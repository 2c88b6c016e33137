// Package firehose serves the API of Amazon Data Firehose (2015-08-04). What its operations mean is in package
// deliverystream.
package firehose

import (
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/deliverystream"
)

// handler translates between the wire and the streams.
type handler struct{ streams *deliverystream.Streams }

// New returns the service with its complete table.
func New(s *deliverystream.Streams) api.Service {
	h := &handler{s}
	return api.Service{Model: Model(), Operations: []api.Operation{
		api.Op("CreateDeliveryStream", h.createDeliveryStream).Partly("put into directly, with a bucket or an HTTP endpoint as destination; others are refused"),
		api.Op("DeleteDeliveryStream", h.deleteDeliveryStream),
		api.Op("DescribeDeliveryStream", h.describeDeliveryStream),
		api.Op("ListDeliveryStreams", h.listDeliveryStreams),
		api.Op("ListTagsForDeliveryStream", h.listTagsForDeliveryStream),
		api.Op("PutRecord", h.putRecord).Partly("records are not delivered: ServiceUnavailableException"),
		api.Op("PutRecordBatch", h.putRecordBatch).Partly("records are not delivered: ServiceUnavailableException"),
		api.Op("StartDeliveryStreamEncryption", h.startDeliveryStreamEncryption),
		api.Op("StopDeliveryStreamEncryption", h.stopDeliveryStreamEncryption),
		api.Op("TagDeliveryStream", h.tagDeliveryStream),
		api.Op("UntagDeliveryStream", h.untagDeliveryStream),
		api.Op("UpdateDestination", h.updateDestination),
	}}
}
