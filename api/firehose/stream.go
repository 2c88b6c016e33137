package firehose

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/deliverystream"
)

// createDeliveryStream serves CreateDeliveryStream.
func (h *handler) createDeliveryStream(ctx context.Context, c *api.Call, in *CreateDeliveryStreamInput) (*CreateDeliveryStreamOutput, error) {
	d, err := destinationOf(in)
	if err != nil {
		return nil, err
	}
	arn, rev, err := h.streams.Create(ctx, c.Caller, in.DeliveryStreamName, d, encryption(in.DeliveryStreamEncryptionConfigurationInput), fromTags(in.Tags))
	return api.Done(c, &CreateDeliveryStreamOutput{DeliveryStreamARN: &arn}, rev, err)
}

// encryption is how a stream shall be encrypted; nil is not at all.
func encryption(in *DeliveryStreamEncryptionConfigurationInput) deliverystream.Encryption {
	if in == nil {
		return deliverystream.Encryption{}
	}
	return deliverystream.Encryption{KeyType: in.KeyType, KeyARN: api.Value(in.KeyARN)}
}

// describeDeliveryStream serves DescribeDeliveryStream.
func (h *handler) describeDeliveryStream(ctx context.Context, c *api.Call, in *DescribeDeliveryStreamInput) (*DescribeDeliveryStreamOutput, error) {
	n, err := h.streams.Look(ctx, c.Caller, "firehose:DescribeDeliveryStream", in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	d, err := described(n)
	if err != nil {
		return nil, err
	}
	s := &DeliveryStreamDescription{CreateTimestamp: &n.CreatedAt, DeliveryStreamARN: n.ARN(h.streams.Region), DeliveryStreamName: n.ID, DeliveryStreamStatus: "ACTIVE",
		DeliveryStreamType: "DirectPut", DeliveryStreamEncryptionConfiguration: &DeliveryStreamEncryptionConfiguration{Status: new("DISABLED")},
		Destinations: []DestinationDescription{d}, VersionId: strconv.Itoa(n.Version)}
	if n.EncryptionType != "" {
		s.DeliveryStreamEncryptionConfiguration = &DeliveryStreamEncryptionConfiguration{KeyARN: api.Some(n.EncryptionKeyARN), KeyType: &n.EncryptionType, Status: new("ENABLED")}
	}
	if n.UpdatedAt.After(n.CreatedAt) {
		s.LastUpdateTimestamp = &n.UpdatedAt
	}
	return &DescribeDeliveryStreamOutput{DeliveryStreamDescription: s}, nil
}

// listDeliveryStreams serves ListDeliveryStreams. All streams are put into directly.
func (h *handler) listDeliveryStreams(ctx context.Context, c *api.Call, in *ListDeliveryStreamsInput) (*ListDeliveryStreamsOutput, error) {
	names, err := h.streams.List(ctx, c.Caller, api.Value(in.ExclusiveStartDeliveryStreamName))
	if err != nil {
		return nil, err
	}
	if api.Or(in.DeliveryStreamType, "DirectPut") != "DirectPut" {
		names = nil
	}
	some := names[:min(len(names), int(api.Or(in.Limit, 10)))]
	return &ListDeliveryStreamsOutput{DeliveryStreamNames: append([]string{}, some...), HasMoreDeliveryStreams: len(some) < len(names)}, nil
}

// deleteDeliveryStream serves DeleteDeliveryStream.
func (h *handler) deleteDeliveryStream(ctx context.Context, c *api.Call, in *DeleteDeliveryStreamInput) (*DeleteDeliveryStreamOutput, error) {
	rev, err := h.streams.Delete(ctx, c.Caller, in.DeliveryStreamName)
	return api.Done(c, &DeleteDeliveryStreamOutput{}, rev, err)
}

// updateDestination serves UpdateDestination. The kind of a destination stays.
func (h *handler) updateDestination(ctx context.Context, c *api.Call, in *UpdateDestinationInput) (*UpdateDestinationOutput, error) {
	rev, err := h.streams.Update(ctx, c.Caller, in.DeliveryStreamName, in.CurrentDeliveryStreamVersionId, in.DestinationId, func(n *trellis.DeliveryStream) (deliverystream.Destination, error) {
		toEndpoint := n.Destination == toHTTPEndpoint
		switch {
		case in.ExtendedS3DestinationUpdate != nil && !toEndpoint:
			return bucket(n.Settings, toExtendedS3, in.ExtendedS3DestinationUpdate, optional(in.ExtendedS3DestinationUpdate.S3BackupUpdate))
		case in.S3DestinationUpdate != nil && !toEndpoint:
			return bucket(n.Settings, n.Destination, in.S3DestinationUpdate, nil)
		case in.HttpEndpointDestinationUpdate != nil && toEndpoint:
			u := in.HttpEndpointDestinationUpdate
			return endpoint(n.Settings, u, optional(u.S3Update), u.EndpointConfiguration)
		}
		return deliverystream.Destination{}, trellis.NewError(400, "InvalidArgumentException", "The update is not of the kind of the stream's destination, %s.", n.Destination)
	})
	return api.Done(c, &UpdateDestinationOutput{}, rev, err)
}

// startDeliveryStreamEncryption serves StartDeliveryStreamEncryption. A key that is not named is AWS's own.
func (h *handler) startDeliveryStreamEncryption(ctx context.Context, c *api.Call, in *StartDeliveryStreamEncryptionInput) (*StartDeliveryStreamEncryptionOutput, error) {
	e := encryption(in.DeliveryStreamEncryptionConfigurationInput)
	if e.KeyType == "" {
		e.KeyType = "AWS_OWNED_CMK"
	}
	rev, err := h.streams.Encrypt(ctx, c.Caller, "firehose:StartDeliveryStreamEncryption", in.DeliveryStreamName, e)
	return api.Done(c, &StartDeliveryStreamEncryptionOutput{}, rev, err)
}

// stopDeliveryStreamEncryption serves StopDeliveryStreamEncryption.
func (h *handler) stopDeliveryStreamEncryption(ctx context.Context, c *api.Call, in *StopDeliveryStreamEncryptionInput) (*StopDeliveryStreamEncryptionOutput, error) {
	rev, err := h.streams.Encrypt(ctx, c.Caller, "firehose:StopDeliveryStreamEncryption", in.DeliveryStreamName, deliverystream.Encryption{})
	return api.Done(c, &StopDeliveryStreamEncryptionOutput{}, rev, err)
}

// putRecord serves PutRecord.
func (h *handler) putRecord(ctx context.Context, c *api.Call, in *PutRecordInput) (*PutRecordOutput, error) {
	return nil, h.streams.Put(ctx, c.Caller, "firehose:PutRecord", in.DeliveryStreamName)
}

// putRecordBatch serves PutRecordBatch.
func (h *handler) putRecordBatch(ctx context.Context, c *api.Call, in *PutRecordBatchInput) (*PutRecordBatchOutput, error) {
	return nil, h.streams.Put(ctx, c.Caller, "firehose:PutRecordBatch", in.DeliveryStreamName)
}

// fromTags makes a map of a request's tags.
func fromTags(tags []Tag) map[string]string {
	m := map[string]string{}
	for _, t := range tags {
		m[t.Key] = api.Value(t.Value)
	}
	return m
}

// tagDeliveryStream serves TagDeliveryStream.
func (h *handler) tagDeliveryStream(ctx context.Context, c *api.Call, in *TagDeliveryStreamInput) (*TagDeliveryStreamOutput, error) {
	rev, err := h.streams.Tag(ctx, c.Caller, in.DeliveryStreamName, fromTags(in.Tags))
	return api.Done(c, &TagDeliveryStreamOutput{}, rev, err)
}

// untagDeliveryStream serves UntagDeliveryStream.
func (h *handler) untagDeliveryStream(ctx context.Context, c *api.Call, in *UntagDeliveryStreamInput) (*UntagDeliveryStreamOutput, error) {
	rev, err := h.streams.Untag(ctx, c.Caller, in.DeliveryStreamName, in.TagKeys)
	return api.Done(c, &UntagDeliveryStreamOutput{}, rev, err)
}

// listTagsForDeliveryStream serves ListTagsForDeliveryStream.
func (h *handler) listTagsForDeliveryStream(ctx context.Context, c *api.Call, in *ListTagsForDeliveryStreamInput) (*ListTagsForDeliveryStreamOutput, error) {
	n, err := h.streams.Look(ctx, c.Caller, "firehose:ListTagsForDeliveryStream", in.DeliveryStreamName)
	if err != nil {
		return nil, err
	}
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(n.Tags)), func(k string) bool { return k <= api.Value(in.ExclusiveStartTagKey) })
	some := keys[:min(len(keys), int(api.Or(in.Limit, 50)))]
	return &ListTagsForDeliveryStreamOutput{HasMoreTags: len(some) < len(keys), Tags: api.Each(some, func(k string) Tag { return Tag{Key: k, Value: new(n.Tags[k])} })}, nil
}
