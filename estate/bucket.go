package estate

import (
	"context"
)

// bucketSetting is a part of a bucket that has operations of its own.
type bucketSetting struct {
	get, at string // the operation that reads it, and where its answer has it
	absent  string // the error that says that there is none
	put     string // the operation that sets all of it; its member is that of the document
	drop    string // the one that takes it away; empty: the default is put
}

// bucketSettings are the parts of buckets, by the members of documents that say them.
var bucketSettings = map[string]bucketSetting{
	"Policy":                            {"GetBucketPolicy", "Policy", "NoSuchBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"},
	"VersioningConfiguration":           {"GetBucketVersioning", "", "", "PutBucketVersioning", ""},
	"PublicAccessBlockConfiguration":    {"GetPublicAccessBlock", "PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration", "PutPublicAccessBlock", ""},
	"OwnershipControls":                 {"GetBucketOwnershipControls", "OwnershipControls", "OwnershipControlsNotFoundError", "PutBucketOwnershipControls", ""},
	"ServerSideEncryptionConfiguration": {"GetBucketEncryption", "ServerSideEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError", "PutBucketEncryption", "DeleteBucketEncryption"},
	"CORSConfiguration":                 {"GetBucketCors", "", "NoSuchCORSConfiguration", "PutBucketCors", "DeleteBucketCors"},
	"LifecycleConfiguration":            {"GetBucketLifecycleConfiguration", "", "NoSuchLifecycleConfiguration", "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle"},
	"WebsiteConfiguration":              {"GetBucketWebsite", "", "NoSuchWebsiteConfiguration", "PutBucketWebsite", "DeleteBucketWebsite"},
	"BucketLoggingStatus":               {"GetBucketLogging", "", "", "PutBucketLogging", ""},
	"NotificationConfiguration":         {"GetBucketNotificationConfiguration", "", "", "PutBucketNotificationConfiguration", ""},
	"ReplicationConfiguration":          {"GetBucketReplication", "ReplicationConfiguration", "ReplicationConfigurationNotFoundError", "PutBucketReplication", "DeleteBucketReplication"},
	"RequestPaymentConfiguration":       {"GetBucketRequestPayment", "", "", "PutBucketRequestPayment", ""},
	"AccelerateConfiguration":           {"GetBucketAccelerateConfiguration", "", "", "PutBucketAccelerateConfiguration", ""},
}

// public is what S3 blocks of public access in a new bucket, and in one of which somebody took the block away.
func public(blocked bool) map[string]any {
	return map[string]any{"BlockPublicAcls": blocked, "IgnorePublicAcls": blocked, "BlockPublicPolicy": blocked, "RestrictPublicBuckets": blocked}
}

// bucketKinds are buckets of S3, without the objects in them.
func bucketKinds() []*kind {
	k := &kind{name: "Bucket", service: "s3", nameMember: "Bucket", id: "Bucket", create: "CreateBucket", remove: "DeleteBucket", make: makeBucket,
		members: []member{{name: "Policy", later: true, late: true, form: policyText, def: nothing}, {name: "VersioningConfiguration", later: true, norm: suspended, def: nothing},
			{name: "PublicAccessBlockConfiguration", later: true, def: public(true)},
			{name: "OwnershipControls", later: true, def: map[string]any{"Rules": []any{map[string]any{"ObjectOwnership": "BucketOwnerEnforced"}}}},
			{name: "ServerSideEncryptionConfiguration", later: true, norm: encryptionNorm, def: map[string]any{"Rules": []any{map[string]any{"ApplyServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}}}}},
			{name: "CORSConfiguration", later: true, def: nothing}, {name: "LifecycleConfiguration", later: true, def: nothing}, {name: "WebsiteConfiguration", later: true, def: nothing},
			{name: "BucketLoggingStatus", later: true, def: nothing}, {name: "NotificationConfiguration", later: true, late: true, def: nothing},
			{name: "ReplicationConfiguration", later: true, late: true, def: nothing}, {name: "RequestPaymentConfiguration", later: true, def: map[string]any{"Payer": "BucketOwner"}},
			{name: "AccelerateConfiguration", later: true, norm: suspended, def: nothing}},
		refs: map[string]reference{"TargetBucket": {kinds: []string{"Bucket"}}, "KMSMasterKeyID": {kinds: []string{"Key"}, arn: true}, "LambdaFunctionArn": {kinds: []string{"Function"}, arn: true},
			"Role": {kinds: []string{"Role"}, arn: true}}}
	sets := map[string]setter{}
	for i := range k.members {
		m := &k.members[i]
		sets[m.name] = setSetting(m.name)
		if m.form == plainValue {
			m.check = bucketSettings[m.name].put
		}
	}
	return []*kind{plain{lists: regionalBuckets, own: "Name", more: withSettings, sets: sets}.of(k)}
}

// regionalBuckets lists the buckets of the region.
func regionalBuckets(ctx context.Context, s *session) ([]map[string]any, error) {
	return s.items(ctx, "s3", "ListBuckets", map[string]any{"BucketRegion": s.region, "MaxBuckets": 1000}, "Buckets")
}

// withSettings reads the parts of a bucket.
func withSettings(ctx context.Context, s *session, _ map[string]any, t *thing) error {
	t.arn = "arn:aws:s3:::" + t.own
	t.aliases = []string{s.account + " Bucket " + t.own}
	for name, setting := range bucketSettings {
		out, err := s.call(ctx, "s3", setting.get, map[string]any{"Bucket": t.own})
		if setting.absent != "" && refused(err, setting.absent) {
			if name == "PublicAccessBlockConfiguration" {
				t.members[name] = public(false)
			}
			continue
		}
		if err != nil {
			return err
		}
		v := at(out, setting.at)
		if m, ok := v.(map[string]any); ok {
			delete(m, "TransitionDefaultMinimumObjectSize")
		}
		if v != nil && len(structure(v)) > 0 || text(v) != "" && name == "Policy" {
			t.members[name] = v
		}
	}
	return nil
}

// encryptionNorm leaves out what a rule of encryption says anyway.
func encryptionNorm(v any) any {
	var rules []any
	for _, r := range list(structure(v)["Rules"]) {
		rule := take(structure(r), "ApplyServerSideEncryptionByDefault", "BucketKeyEnabled")
		if rule["BucketKeyEnabled"] == false {
			delete(rule, "BucketKeyEnabled")
		}
		rules = append(rules, rule)
	}
	return map[string]any{"Rules": rules}
}

// suspended says of what was enabled once the same as of what never was.
func suspended(v any) any {
	if structure(v)["Status"] == "Suspended" {
		return map[string]any{}
	}
	return v
}

// makeBucket creates a bucket in the region.
func makeBucket(ctx context.Context, s *session, t *thing, in map[string]any) error {
	t.arn = "arn:aws:s3:::" + t.own
	if s.region != "us-east-1" {
		in["CreateBucketConfiguration"] = map[string]any{"LocationConstraint": s.region}
	}
	return s.do(ctx, "s3", "CreateBucket", in)
}

// setSetting returns what sets a part of a bucket, or takes it away.
func setSetting(name string) setter {
	setting := bucketSettings[name]
	return func(ctx context.Context, s *session, t *thing, want, have any) error {
		in := map[string]any{"Bucket": t.own}
		if want == nil && setting.drop != "" {
			return s.do(ctx, "s3", setting.drop, in)
		}
		if in[name] = want; want == nil {
			in[name] = map[string]any{}
			if name == "VersioningConfiguration" || name == "AccelerateConfiguration" {
				in[name] = map[string]any{"Status": "Suspended"}
			}
		}
		return s.do(ctx, "s3", setting.put, in)
	}
}
