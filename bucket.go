package trellis

// Bucket is an S3 bucket. Its objects are kept outside of the store.
type Bucket struct {
	Meta                       // ID is the name, unique in the installation
	Folder   string            `json:"folder"`             // where its objects are kept: of no other bucket, nor of one of this name before
	Policy   string            `json:"policy,omitempty"`   // a resource policy
	ACL      string            `json:"acl,omitempty"`      // canned; empty for private
	Settings map[string]string `json:"settings,omitempty"` // documents of sub-resources, for example cors, in S3's JSON form
}

// Kind is KindBucket.
func (*Bucket) Kind() Kind { return KindBucket }

// ARN is arn:aws:s3:::name, the same in all regions and accounts.
func (b *Bucket) ARN() string { return BucketARN(b.ID) }

// BucketARN is the ARN of a bucket, which tells neither region nor account (Service Authorization Reference, Amazon S3).
func BucketARN(name string) string { return "arn:aws:s3:::" + name }
