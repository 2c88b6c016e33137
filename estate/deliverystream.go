package estate

import (
	"context"
	"maps"
)

// deliveryStreamKinds are streams of Firehose.
func deliveryStreamKinds() []*kind {
	toBucket, toRole, toGroup := reference{kinds: []string{"Bucket"}, arn: true}, reference{kinds: []string{"Role"}, arn: true}, reference{kinds: []string{"LogGroup"}}
	p := plain{lists: streams, own: "DeliveryStreamName", arn: "DeliveryStreamARN", get: "DescribeDeliveryStream", got: "DeliveryStreamDescription", more: withDestination,
		status: "DeliveryStreamStatus", reason: "FailureDescription.Details", done: []string{"ACTIVE"}, failed: []string{"CREATING_FAILED", "DELETING_FAILED", "SUSPENDED"},
		sets: map[string]setter{"ExtendedS3DestinationConfiguration": updateDestination("ExtendedS3DestinationUpdate"),
			"HttpEndpointDestinationConfiguration": updateDestination("HttpEndpointDestinationUpdate"), "DeliveryStreamEncryptionConfigurationInput": encryptStream}}
	k := &kind{name: "DeliveryStream", service: "firehose", nameMember: "DeliveryStreamName", id: "DeliveryStreamName", create: "CreateDeliveryStream", remove: "DeleteDeliveryStream",
		members: []member{{name: "DeliveryStreamType", fixed: true, def: "DirectPut"}, {name: "ExtendedS3DestinationConfiguration", part: true},
			{name: "HttpEndpointDestinationConfiguration", part: true, norm: withoutKey}, {name: "DeliveryStreamEncryptionConfigurationInput", def: nothing}},
		refs: map[string]reference{"BucketARN": toBucket, "RoleARN": toRole, "LogGroupName": toGroup, "KeyARN": {kinds: []string{"Key"}, arn: true}, "AWSKMSKeyARN": {kinds: []string{"Key"}, arn: true}}}
	k.make = func(ctx context.Context, s *session, t *thing, in map[string]any) error {
		out, err := s.call(ctx, "firehose", "CreateDeliveryStream", in)
		if err != nil {
			return err
		}
		t.arn = text(out["DeliveryStreamARN"])
		return p.settle(ctx, s, t)
	}
	return []*kind{p.of(k)}
}

// streams lists the names of all streams.
func streams(ctx context.Context, s *session) ([]map[string]any, error) {
	var all []map[string]any
	for in := map[string]any{}; ; {
		out, err := s.call(ctx, "firehose", "ListDeliveryStreams", in)
		if err != nil {
			return nil, err
		}
		names := list(out["DeliveryStreamNames"])
		for _, name := range names {
			all = append(all, map[string]any{"DeliveryStreamName": name})
		}
		if out["HasMoreDeliveryStreams"] != true || len(names) == 0 {
			return all, nil
		}
		in = map[string]any{"ExclusiveStartDeliveryStreamName": names[len(names)-1]}
	}
}

// described are the members that answers call otherwise than requests, at any depth.
var described = map[string]string{"S3BackupDescription": "S3BackupConfiguration", "S3DestinationDescription": "S3Configuration"}

// asConfiguration is a description as a request has it.
func asConfiguration(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, e := range v {
			out[first(described[name], name)] = asConfiguration(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = asConfiguration(e)
		}
		return out
	}
	return v
}

// withDestination takes the destination of a stream, and how its records are encrypted.
func withDestination(_ context.Context, s *session, answer map[string]any, t *thing) error {
	m := structure(answer["DeliveryStreamDescription"])
	t.aliases = []string{s.account + " DeliveryStream " + t.own}
	destination := part(m, "Destinations")
	for _, sort := range []string{"ExtendedS3Destination", "HttpEndpointDestination"} {
		if d := structure(destination[sort+"Description"]); len(d) > 0 {
			t.members[sort+"Configuration"] = asConfiguration(d)
		}
	}
	if e := structure(m["DeliveryStreamEncryptionConfiguration"]); e["Status"] == "ENABLED" {
		t.members["DeliveryStreamEncryptionConfigurationInput"] = take(e, "KeyType", "KeyARN")
	}
	return nil
}

// withoutKey leaves out the key of an endpoint, which no answer has: it is given when something else of the destination changes.
func withoutKey(v any) any {
	m := maps.Clone(structure(v))
	endpoint := maps.Clone(structure(m["EndpointConfiguration"]))
	delete(endpoint, "AccessKey")
	m["EndpointConfiguration"] = endpoint
	return m
}

// updateDestination returns what gives a stream's destination other settings.
func updateDestination(member string) setter {
	return func(ctx context.Context, s *session, t *thing, want, _ any) error {
		out, err := s.call(ctx, "firehose", "DescribeDeliveryStream", map[string]any{"DeliveryStreamName": t.own})
		if err != nil {
			return err
		}
		m := structure(out["DeliveryStreamDescription"])
		update := maps.Clone(structure(want))
		for from, to := range map[string]string{"S3Configuration": "S3Update", "S3BackupConfiguration": "S3BackupUpdate"} {
			if v, ok := update[from]; ok {
				update[to] = v
				delete(update, from)
			}
		}
		return s.do(ctx, "firehose", "UpdateDestination", map[string]any{"DeliveryStreamName": t.own, "CurrentDeliveryStreamVersionId": m["VersionId"],
			"DestinationId": at(m, "Destinations.DestinationId"), member: update})
	}
}

// encryptStream sets how the records of a stream are encrypted while they wait.
func encryptStream(ctx context.Context, s *session, t *thing, want, _ any) error {
	in := map[string]any{"DeliveryStreamName": t.own}
	if want == nil {
		return s.do(ctx, "firehose", "StopDeliveryStreamEncryption", in)
	}
	in["DeliveryStreamEncryptionConfigurationInput"] = want
	return s.do(ctx, "firehose", "StartDeliveryStreamEncryption", in)
}
