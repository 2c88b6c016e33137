package s3

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// The sub-resources of buckets that are kept as they come: what they configure is not done here (docs/modes.md).
const (
	cors              = "cors"
	website           = "website"
	versioning        = "versioning"
	accelerate        = "accelerate"
	requestPayment    = "requestPayment"
	logging           = "logging"
	lifecycle         = "lifecycle"
	replication       = "replication"
	encryption        = "encryption"
	objectLock        = "object-lock"
	publicAccessBlock = "publicAccessBlock"
	ownership         = "ownershipControls"
	notification      = "notification"
)

// removed is kept for a sub-resource that every bucket has from its beginning, once it was deleted.
const removed = "null"

// document is a sub-resource as it is kept.
func document(v any) string {
	b, _ := json.Marshal(v) // made of texts and numbers
	return string(b)
}

// absent is for a sub-resource that a bucket does not have.
func absent(code, message, name string) *trellis.Error {
	e := trellis.NewError(404, code, "%s", message)
	e.ResourceID = "/" + name
	return e
}

// setting reads a sub-resource into a new T. Without one it is byDefault, or missing is answered when that is nil, too;
// of one that was removed, missing.
func setting[T any](ctx context.Context, h *handler, c *api.Call, action, bucket string, owner *string, name string, byDefault any, missing *trellis.Error) (*T, error) {
	n, err := h.buckets.Get(ctx, access(c, action, bucket, "", owner))
	if err != nil {
		return nil, err
	}
	text := n.Settings[name]
	if missing != nil && (text == removed || text == "" && byDefault == nil) {
		return nil, missing
	}
	if text == "" {
		text = document(byDefault)
	}
	out := new(T)
	return out, json.Unmarshal([]byte(text), out)
}

// set keeps a sub-resource, or removes it when v is nil.
func set[Out any](ctx context.Context, h *handler, c *api.Call, action, bucket string, owner *string, name string, v any) (*Out, error) {
	text := ""
	if v != nil {
		text = document(v)
	}
	rev, err := h.buckets.Set(ctx, access(c, action, bucket, "", owner), name, text)
	return api.Done(c, new(Out), rev, err)
}

// getBucketCors serves GetBucketCors.
func (h *handler) getBucketCors(ctx context.Context, c *api.Call, in *GetBucketCorsInput) (*GetBucketCorsOutput, error) {
	return setting[GetBucketCorsOutput](ctx, h, c, "GetBucketCORS", in.Bucket, in.ExpectedBucketOwner, cors, nil, absent("NoSuchCORSConfiguration", "The CORS configuration does not exist", in.Bucket))
}

// putBucketCors serves PutBucketCors.
func (h *handler) putBucketCors(ctx context.Context, c *api.Call, in *PutBucketCorsInput) (*PutBucketCorsOutput, error) {
	return set[PutBucketCorsOutput](ctx, h, c, "PutBucketCORS", in.Bucket, in.ExpectedBucketOwner, cors, in.CORSConfiguration)
}

// deleteBucketCors serves DeleteBucketCors.
func (h *handler) deleteBucketCors(ctx context.Context, c *api.Call, in *DeleteBucketCorsInput) (*DeleteBucketCorsOutput, error) {
	return set[DeleteBucketCorsOutput](ctx, h, c, "PutBucketCORS", in.Bucket, in.ExpectedBucketOwner, cors, nil)
}

// getBucketWebsite serves GetBucketWebsite.
func (h *handler) getBucketWebsite(ctx context.Context, c *api.Call, in *GetBucketWebsiteInput) (*GetBucketWebsiteOutput, error) {
	return setting[GetBucketWebsiteOutput](ctx, h, c, "GetBucketWebsite", in.Bucket, in.ExpectedBucketOwner, website, nil, absent("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration", in.Bucket))
}

// putBucketWebsite serves PutBucketWebsite.
func (h *handler) putBucketWebsite(ctx context.Context, c *api.Call, in *PutBucketWebsiteInput) (*PutBucketWebsiteOutput, error) {
	return set[PutBucketWebsiteOutput](ctx, h, c, "PutBucketWebsite", in.Bucket, in.ExpectedBucketOwner, website, in.WebsiteConfiguration)
}

// deleteBucketWebsite serves DeleteBucketWebsite.
func (h *handler) deleteBucketWebsite(ctx context.Context, c *api.Call, in *DeleteBucketWebsiteInput) (*DeleteBucketWebsiteOutput, error) {
	return set[DeleteBucketWebsiteOutput](ctx, h, c, "DeleteBucketWebsite", in.Bucket, in.ExpectedBucketOwner, website, nil)
}

// getBucketVersioning serves GetBucketVersioning.
func (h *handler) getBucketVersioning(ctx context.Context, c *api.Call, in *GetBucketVersioningInput) (*GetBucketVersioningOutput, error) {
	return setting[GetBucketVersioningOutput](ctx, h, c, "GetBucketVersioning", in.Bucket, in.ExpectedBucketOwner, versioning, nil, nil)
}

// putBucketVersioning serves PutBucketVersioning.
func (h *handler) putBucketVersioning(ctx context.Context, c *api.Call, in *PutBucketVersioningInput) (*PutBucketVersioningOutput, error) {
	return set[PutBucketVersioningOutput](ctx, h, c, "PutBucketVersioning", in.Bucket, in.ExpectedBucketOwner, versioning, in.VersioningConfiguration)
}

// getBucketAccelerateConfiguration serves GetBucketAccelerateConfiguration.
func (h *handler) getBucketAccelerateConfiguration(ctx context.Context, c *api.Call, in *GetBucketAccelerateConfigurationInput) (*GetBucketAccelerateConfigurationOutput, error) {
	return setting[GetBucketAccelerateConfigurationOutput](ctx, h, c, "GetAccelerateConfiguration", in.Bucket, in.ExpectedBucketOwner, accelerate, nil, nil)
}

// putBucketAccelerateConfiguration serves PutBucketAccelerateConfiguration.
func (h *handler) putBucketAccelerateConfiguration(ctx context.Context, c *api.Call, in *PutBucketAccelerateConfigurationInput) (*PutBucketAccelerateConfigurationOutput, error) {
	return set[PutBucketAccelerateConfigurationOutput](ctx, h, c, "PutAccelerateConfiguration", in.Bucket, in.ExpectedBucketOwner, accelerate, in.AccelerateConfiguration)
}

// getBucketRequestPayment serves GetBucketRequestPayment.
func (h *handler) getBucketRequestPayment(ctx context.Context, c *api.Call, in *GetBucketRequestPaymentInput) (*GetBucketRequestPaymentOutput, error) {
	return setting[GetBucketRequestPaymentOutput](ctx, h, c, "GetBucketRequestPayment", in.Bucket, in.ExpectedBucketOwner, requestPayment, &RequestPaymentConfiguration{Payer: "BucketOwner"}, nil)
}

// putBucketRequestPayment serves PutBucketRequestPayment.
func (h *handler) putBucketRequestPayment(ctx context.Context, c *api.Call, in *PutBucketRequestPaymentInput) (*PutBucketRequestPaymentOutput, error) {
	return set[PutBucketRequestPaymentOutput](ctx, h, c, "PutBucketRequestPayment", in.Bucket, in.ExpectedBucketOwner, requestPayment, in.RequestPaymentConfiguration)
}

// getBucketLogging serves GetBucketLogging.
func (h *handler) getBucketLogging(ctx context.Context, c *api.Call, in *GetBucketLoggingInput) (*GetBucketLoggingOutput, error) {
	return setting[GetBucketLoggingOutput](ctx, h, c, "GetBucketLogging", in.Bucket, in.ExpectedBucketOwner, logging, nil, nil)
}

// putBucketLogging serves PutBucketLogging.
func (h *handler) putBucketLogging(ctx context.Context, c *api.Call, in *PutBucketLoggingInput) (*PutBucketLoggingOutput, error) {
	return set[PutBucketLoggingOutput](ctx, h, c, "PutBucketLogging", in.Bucket, in.ExpectedBucketOwner, logging, in.BucketLoggingStatus)
}

// getBucketLifecycleConfiguration serves GetBucketLifecycleConfiguration.
func (h *handler) getBucketLifecycleConfiguration(ctx context.Context, c *api.Call, in *GetBucketLifecycleConfigurationInput) (*GetBucketLifecycleConfigurationOutput, error) {
	return setting[GetBucketLifecycleConfigurationOutput](ctx, h, c, "GetLifecycleConfiguration", in.Bucket, in.ExpectedBucketOwner, lifecycle, nil, absent("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", in.Bucket))
}

// putBucketLifecycleConfiguration serves PutBucketLifecycleConfiguration. The smallest size that moves to other storage
// classes is part of the configuration, although it comes in a header; Terraform waits until it reads it.
func (h *handler) putBucketLifecycleConfiguration(ctx context.Context, c *api.Call, in *PutBucketLifecycleConfigurationInput) (*PutBucketLifecycleConfigurationOutput, error) {
	size := cmp.Or(in.TransitionDefaultMinimumObjectSize, new("all_storage_classes_128K"))
	kept := &GetBucketLifecycleConfigurationOutput{TransitionDefaultMinimumObjectSize: size}
	if in.LifecycleConfiguration != nil {
		kept.Rules = in.LifecycleConfiguration.Rules
	}
	out, err := set[PutBucketLifecycleConfigurationOutput](ctx, h, c, "PutLifecycleConfiguration", in.Bucket, in.ExpectedBucketOwner, lifecycle, kept)
	if err == nil {
		out.TransitionDefaultMinimumObjectSize = size
	}
	return out, err
}

// deleteBucketLifecycle serves DeleteBucketLifecycle.
func (h *handler) deleteBucketLifecycle(ctx context.Context, c *api.Call, in *DeleteBucketLifecycleInput) (*DeleteBucketLifecycleOutput, error) {
	return set[DeleteBucketLifecycleOutput](ctx, h, c, "PutLifecycleConfiguration", in.Bucket, in.ExpectedBucketOwner, lifecycle, nil)
}

// getBucketReplication serves GetBucketReplication.
func (h *handler) getBucketReplication(ctx context.Context, c *api.Call, in *GetBucketReplicationInput) (*GetBucketReplicationOutput, error) {
	v, err := setting[ReplicationConfiguration](ctx, h, c, "GetReplicationConfiguration", in.Bucket, in.ExpectedBucketOwner, replication, nil, absent("ReplicationConfigurationNotFoundError", "The replication configuration was not found", in.Bucket))
	return &GetBucketReplicationOutput{ReplicationConfiguration: v}, err
}

// putBucketReplication serves PutBucketReplication.
func (h *handler) putBucketReplication(ctx context.Context, c *api.Call, in *PutBucketReplicationInput) (*PutBucketReplicationOutput, error) {
	return set[PutBucketReplicationOutput](ctx, h, c, "PutReplicationConfiguration", in.Bucket, in.ExpectedBucketOwner, replication, in.ReplicationConfiguration)
}

// deleteBucketReplication serves DeleteBucketReplication.
func (h *handler) deleteBucketReplication(ctx context.Context, c *api.Call, in *DeleteBucketReplicationInput) (*DeleteBucketReplicationOutput, error) {
	return set[DeleteBucketReplicationOutput](ctx, h, c, "PutReplicationConfiguration", in.Bucket, in.ExpectedBucketOwner, replication, nil)
}

// getBucketEncryption serves GetBucketEncryption.
func (h *handler) getBucketEncryption(ctx context.Context, c *api.Call, in *GetBucketEncryptionInput) (*GetBucketEncryptionOutput, error) {
	v, err := setting[ServerSideEncryptionConfiguration](ctx, h, c, "GetEncryptionConfiguration", in.Bucket, in.ExpectedBucketOwner, encryption, &ServerSideEncryptionConfiguration{Rules: []ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &ServerSideEncryptionByDefault{SSEAlgorithm: "AES256"}, BucketKeyEnabled: new(false)}}}, nil)
	return &GetBucketEncryptionOutput{ServerSideEncryptionConfiguration: v}, err
}

// putBucketEncryption serves PutBucketEncryption.
func (h *handler) putBucketEncryption(ctx context.Context, c *api.Call, in *PutBucketEncryptionInput) (*PutBucketEncryptionOutput, error) {
	return set[PutBucketEncryptionOutput](ctx, h, c, "PutEncryptionConfiguration", in.Bucket, in.ExpectedBucketOwner, encryption, in.ServerSideEncryptionConfiguration)
}

// deleteBucketEncryption serves DeleteBucketEncryption.
func (h *handler) deleteBucketEncryption(ctx context.Context, c *api.Call, in *DeleteBucketEncryptionInput) (*DeleteBucketEncryptionOutput, error) {
	return set[DeleteBucketEncryptionOutput](ctx, h, c, "PutEncryptionConfiguration", in.Bucket, in.ExpectedBucketOwner, encryption, nil)
}

// getObjectLockConfiguration serves GetObjectLockConfiguration.
func (h *handler) getObjectLockConfiguration(ctx context.Context, c *api.Call, in *GetObjectLockConfigurationInput) (*GetObjectLockConfigurationOutput, error) {
	v, err := setting[ObjectLockConfiguration](ctx, h, c, "GetBucketObjectLockConfiguration", in.Bucket, in.ExpectedBucketOwner, objectLock, nil, absent("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket", in.Bucket))
	return &GetObjectLockConfigurationOutput{ObjectLockConfiguration: v}, err
}

// putObjectLockConfiguration serves PutObjectLockConfiguration.
func (h *handler) putObjectLockConfiguration(ctx context.Context, c *api.Call, in *PutObjectLockConfigurationInput) (*PutObjectLockConfigurationOutput, error) {
	return set[PutObjectLockConfigurationOutput](ctx, h, c, "PutBucketObjectLockConfiguration", in.Bucket, in.ExpectedBucketOwner, objectLock, in.ObjectLockConfiguration)
}

// getPublicAccessBlock serves GetPublicAccessBlock.
func (h *handler) getPublicAccessBlock(ctx context.Context, c *api.Call, in *GetPublicAccessBlockInput) (*GetPublicAccessBlockOutput, error) {
	v, err := setting[PublicAccessBlockConfiguration](ctx, h, c, "GetBucketPublicAccessBlock", in.Bucket, in.ExpectedBucketOwner, publicAccessBlock, &PublicAccessBlockConfiguration{new(true), new(true), new(true), new(true)}, absent("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", in.Bucket))
	return &GetPublicAccessBlockOutput{PublicAccessBlockConfiguration: v}, err
}

// putPublicAccessBlock serves PutPublicAccessBlock.
func (h *handler) putPublicAccessBlock(ctx context.Context, c *api.Call, in *PutPublicAccessBlockInput) (*PutPublicAccessBlockOutput, error) {
	return set[PutPublicAccessBlockOutput](ctx, h, c, "PutBucketPublicAccessBlock", in.Bucket, in.ExpectedBucketOwner, publicAccessBlock, in.PublicAccessBlockConfiguration)
}

// deletePublicAccessBlock serves DeletePublicAccessBlock.
func (h *handler) deletePublicAccessBlock(ctx context.Context, c *api.Call, in *DeletePublicAccessBlockInput) (*DeletePublicAccessBlockOutput, error) {
	return set[DeletePublicAccessBlockOutput](ctx, h, c, "PutBucketPublicAccessBlock", in.Bucket, in.ExpectedBucketOwner, publicAccessBlock, json.RawMessage(removed))
}

// getBucketOwnershipControls serves GetBucketOwnershipControls.
func (h *handler) getBucketOwnershipControls(ctx context.Context, c *api.Call, in *GetBucketOwnershipControlsInput) (*GetBucketOwnershipControlsOutput, error) {
	v, err := setting[OwnershipControls](ctx, h, c, "GetBucketOwnershipControls", in.Bucket, in.ExpectedBucketOwner, ownership, &OwnershipControls{Rules: []OwnershipControlsRule{{ObjectOwnership: "BucketOwnerEnforced"}}}, absent("OwnershipControlsNotFoundError", "The bucket ownership controls were not found", in.Bucket))
	return &GetBucketOwnershipControlsOutput{OwnershipControls: v}, err
}

// putBucketOwnershipControls serves PutBucketOwnershipControls.
func (h *handler) putBucketOwnershipControls(ctx context.Context, c *api.Call, in *PutBucketOwnershipControlsInput) (*PutBucketOwnershipControlsOutput, error) {
	return set[PutBucketOwnershipControlsOutput](ctx, h, c, "PutBucketOwnershipControls", in.Bucket, in.ExpectedBucketOwner, ownership, in.OwnershipControls)
}

// deleteBucketOwnershipControls serves DeleteBucketOwnershipControls.
func (h *handler) deleteBucketOwnershipControls(ctx context.Context, c *api.Call, in *DeleteBucketOwnershipControlsInput) (*DeleteBucketOwnershipControlsOutput, error) {
	return set[DeleteBucketOwnershipControlsOutput](ctx, h, c, "PutBucketOwnershipControls", in.Bucket, in.ExpectedBucketOwner, ownership, json.RawMessage(removed))
}

// getBucketNotificationConfiguration serves GetBucketNotificationConfiguration.
func (h *handler) getBucketNotificationConfiguration(ctx context.Context, c *api.Call, in *GetBucketNotificationConfigurationInput) (*GetBucketNotificationConfigurationOutput, error) {
	return setting[GetBucketNotificationConfigurationOutput](ctx, h, c, "GetBucketNotification", in.Bucket, in.ExpectedBucketOwner, notification, nil, nil)
}

// putBucketNotificationConfiguration serves PutBucketNotificationConfiguration.
func (h *handler) putBucketNotificationConfiguration(ctx context.Context, c *api.Call, in *PutBucketNotificationConfigurationInput) (*PutBucketNotificationConfigurationOutput, error) {
	return set[PutBucketNotificationConfigurationOutput](ctx, h, c, "PutBucketNotification", in.Bucket, in.ExpectedBucketOwner, notification, in.NotificationConfiguration)
}
