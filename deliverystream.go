package trellis

import "encoding/json"

// DeliveryStream is a stream of Firehose that writers put records into, and its one destination.
type DeliveryStream struct {
	Meta                             // ID is its name
	Version          int             `json:"version"`                  // grows with each change of the destination
	Destination      string          `json:"destination"`              // S3, ExtendedS3 or HttpEndpoint
	Settings         json.RawMessage `json:"settings"`                 // the destination as Firehose's API describes it
	AccessKey        Secret          `json:"accessKey"`                // for an HTTP endpoint
	EncryptionType   string          `json:"encryptionType,omitempty"` // AWS_OWNED_CMK or CUSTOMER_MANAGED_CMK; empty: not encrypted
	EncryptionKeyARN string          `json:"encryptionKeyArn,omitempty"`
}

// Kind is KindDeliveryStream.
func (*DeliveryStream) Kind() Kind { return KindDeliveryStream }

// Secrets is the access key.
func (d *DeliveryStream) Secrets() []*Secret { return []*Secret{&d.AccessKey} }

// ARN is arn:aws:firehose:region:account:deliverystream/NAME.
func (d *DeliveryStream) ARN(region string) string {
	return ARN{Partition: "aws", Service: "firehose", Region: region, Account: d.Account, Resource: "deliverystream/" + d.ID}.String()
}
