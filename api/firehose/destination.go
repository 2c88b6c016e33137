package firehose

import (
	"encoding/json"
	"fmt"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/deliverystream"
)

// The kinds of destinations.
const (
	toS3           = "S3"
	toExtendedS3   = "ExtendedS3"
	toHTTPEndpoint = "HttpEndpoint"
)

// unsupported is the refusal of sources and destinations that Trellis has not.
func unsupported(what string) error {
	return trellis.NewError(400, "InvalidArgumentException", "%s is not supported: Trellis has streams that are put into directly, with a bucket or an HTTP endpoint as destination.", what)
}

// merge lays the members of from that are there over to, which has members of the same names: a configuration or an
// update over a description.
func merge(to, from any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	for name, m := range members {
		if string(m) == "null" {
			delete(members, name)
		}
	}
	if text, err = json.Marshal(members); err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	return nil
}

// bucketDefaults are the members of a bucket that is described which nobody has set (Firehose API,
// S3DestinationConfiguration).
func bucketDefaults() S3DestinationDescription {
	return S3DestinationDescription{BufferingHints: &BufferingHints{IntervalInSeconds: new(int32(300)), SizeInMBs: new(int32(5))},
		CloudWatchLoggingOptions: &CloudWatchLoggingOptions{Enabled: new(false)}, CompressionFormat: "UNCOMPRESSED", EncryptionConfiguration: &EncryptionConfiguration{NoEncryptionConfig: new("NoEncryption")}}
}

// bucket describes a destination that is a bucket: what was described before, and a configuration or update over it.
func bucket(before json.RawMessage, kind string, change, backup any) (deliverystream.Destination, error) {
	d := ExtendedS3DestinationDescription{S3BackupMode: new("Disabled")}
	if err := merge(&d, bucketDefaults()); err != nil {
		return deliverystream.Destination{}, err
	}
	if before != nil {
		if err := json.Unmarshal(before, &d); err != nil {
			return deliverystream.Destination{}, fmt.Errorf("destination: %w", err)
		}
	}
	if err := merge(&d, change); err != nil {
		return deliverystream.Destination{}, err
	}
	roles := []string{d.RoleARN}
	if backup != nil {
		if d.S3BackupDescription == nil {
			d.S3BackupDescription = new(bucketDefaults())
		}
		if err := merge(d.S3BackupDescription, backup); err != nil {
			return deliverystream.Destination{}, err
		}
		roles = append(roles, d.S3BackupDescription.RoleARN)
	}
	text, err := json.Marshal(d)
	return deliverystream.Destination{Kind: kind, Settings: text, Roles: roles}, err
}

// endpoint describes a destination that is an HTTP endpoint: what was described before, and a configuration or update
// over it. s3 is where what could not be delivered goes.
func endpoint(before json.RawMessage, change, s3 any, key *HttpEndpointConfiguration) (deliverystream.Destination, error) {
	d := HttpEndpointDestinationDescription{BufferingHints: &HttpEndpointBufferingHints{IntervalInSeconds: new(int32(300)), SizeInMBs: new(int32(5))},
		CloudWatchLoggingOptions: &CloudWatchLoggingOptions{Enabled: new(false)}, RetryOptions: &HttpEndpointRetryOptions{DurationInSeconds: new(int32(300))},
		RequestConfiguration: &HttpEndpointRequestConfiguration{ContentEncoding: new("NONE")}, S3BackupMode: new("FailedDataOnly"), S3DestinationDescription: new(bucketDefaults())}
	if before != nil {
		if err := json.Unmarshal(before, &d); err != nil {
			return deliverystream.Destination{}, fmt.Errorf("destination: %w", err)
		}
	}
	if err := merge(&d, change); err != nil {
		return deliverystream.Destination{}, err
	}
	if s3 != nil {
		if err := merge(d.S3DestinationDescription, s3); err != nil {
			return deliverystream.Destination{}, err
		}
	}
	roles := []string{d.S3DestinationDescription.RoleARN}
	if d.RoleARN != nil {
		roles = append(roles, *d.RoleARN)
	}
	text, err := json.Marshal(d)
	out := deliverystream.Destination{Kind: toHTTPEndpoint, Settings: text, Roles: roles}
	if key != nil {
		out.AccessKey = key.AccessKey
	}
	return out, err
}

// described is a stream's destination as the wire has it. A bucket is described in both forms, as Firehose does.
func described(n *trellis.DeliveryStream) (DestinationDescription, error) {
	d := DestinationDescription{DestinationId: deliverystream.DestinationID}
	if n.Destination == toHTTPEndpoint {
		d.HttpEndpointDestinationDescription = new(HttpEndpointDestinationDescription)
		return d, json.Unmarshal(n.Settings, d.HttpEndpointDestinationDescription)
	}
	d.S3DestinationDescription, d.ExtendedS3DestinationDescription = new(S3DestinationDescription), new(ExtendedS3DestinationDescription)
	if err := json.Unmarshal(n.Settings, d.ExtendedS3DestinationDescription); err != nil {
		return d, err
	}
	return d, json.Unmarshal(n.Settings, d.S3DestinationDescription)
}

// destinationOf reads the destination of a stream that is being made.
func destinationOf(in *CreateDeliveryStreamInput) (deliverystream.Destination, error) {
	var none deliverystream.Destination
	switch {
	case api.Or(in.DeliveryStreamType, "DirectPut") != "DirectPut":
		return none, unsupported("The type " + *in.DeliveryStreamType)
	case in.AmazonOpenSearchServerlessDestinationConfiguration != nil, in.AmazonopensearchserviceDestinationConfiguration != nil, in.ElasticsearchDestinationConfiguration != nil,
		in.IcebergDestinationConfiguration != nil, in.RedshiftDestinationConfiguration != nil, in.SnowflakeDestinationConfiguration != nil, in.SplunkDestinationConfiguration != nil:
		return none, unsupported("The destination")
	case in.ExtendedS3DestinationConfiguration != nil && in.S3DestinationConfiguration == nil && in.HttpEndpointDestinationConfiguration == nil:
		c := in.ExtendedS3DestinationConfiguration
		return bucket(nil, toExtendedS3, c, optional(c.S3BackupConfiguration))
	case in.S3DestinationConfiguration != nil && in.ExtendedS3DestinationConfiguration == nil && in.HttpEndpointDestinationConfiguration == nil:
		return bucket(nil, toS3, in.S3DestinationConfiguration, nil)
	case in.HttpEndpointDestinationConfiguration != nil && in.ExtendedS3DestinationConfiguration == nil && in.S3DestinationConfiguration == nil:
		c := in.HttpEndpointDestinationConfiguration
		return endpoint(nil, c, c.S3Configuration, c.EndpointConfiguration)
	}
	return none, trellis.NewError(400, "InvalidArgumentException", "Exactly one destination configuration is supported for a Firehose")
}

// optional is nil, and not a nil pointer in an interface, for a member that is absent.
func optional[T any](p *T) any {
	if p == nil {
		return nil
	}
	return p
}
