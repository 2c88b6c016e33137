// Package bucket says what the operations of S3 mean: buckets with their policies and sub-resources, and objects. Buckets
// are nouns; objects are files below the data directory, since the store keeps small things (docs/modes.md).
package bucket

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// maxSetting is how many bytes the document of a sub-resource may have, maxPolicy a bucket's policy (S3 user guide,
// bucket-policies).
const (
	maxSetting = 256 << 10
	maxPolicy  = 20 << 10
)

// Buckets is the buckets of all accounts. It is safe for concurrent use, and starts nothing.
type Buckets struct {
	*companion.Records
	Quotas quota.Limits
	files  *files
}

// New returns the Buckets of an installation, whose objects are below a directory. Open must be called before objects
// are asked for.
func New(o companion.Options, dir string) *Buckets {
	return &Buckets{companion.NewRecords(o), quota.Limits{Strict: o.Strict}, newFiles(dir)}
}

// Open finds the objects that are there, and removes what a process that ended left unfinished.
func (b *Buckets) Open(ctx context.Context) error {
	var folders []string
	err := b.Store.Read(ctx, func(tx *store.Tx) error {
		all, err := store.List[*trellis.Bucket](tx, "")
		folders = nil
		for _, n := range all {
			folders = append(folders, n.Folder)
		}
		return err
	})
	if err != nil {
		return err
	}
	return b.files.open(folders)
}

// Errors of S3 (S3 API reference, error responses). ResourceID is the Resource of the error's document.

// fault makes one.
func fault(status int, code, resource, format string, args ...any) *trellis.Error {
	e := trellis.NewError(status, code, format, args...)
	e.ResourceID = resource
	return e
}

// noBucket is for a bucket that is not there.
func noBucket(name string) *trellis.Error {
	return fault(404, "NoSuchBucket", "/"+name, "The specified bucket does not exist")
}

// ownerSet is the set whose one member is the account of a bucket.
func ownerSet(name string) string { return "bucket/" + name }

// find reads a bucket of whatever account. What is done with it must be allowed by authorize.
func find(tx *store.Tx, name string) (*trellis.Bucket, error) {
	if !validName(name) {
		return nil, fault(400, "InvalidBucketName", "/"+name, "The specified bucket is not valid.")
	}
	owners, err := tx.Marked(ownerSet(name))
	if err != nil {
		return nil, err
	}
	if len(owners) == 0 {
		return nil, noBucket(name)
	}
	return companion.Get[*trellis.Bucket](tx, owners[0]+"/"+name, noBucket(name))
}

// authorize asks the bucket's policy and the caller's own whether an action is allowed on the bucket or one of its
// objects: in the owner's account either allows, from another one both must.
func authorize(c *authpolicy.Caller, n *trellis.Bucket, action, resource string, keys map[string][]string) error {
	r := &authpolicy.Request{Action: action, Resource: resource, Caller: c, Extra: authpolicy.TagKeys(keys, nil, n.Tags), Now: time.Now()}
	if ip, err := netip.ParseAddr(first(c.Context["aws:sourceip"])); err == nil {
		r.SourceIP = ip
	}
	if c.Control != nil {
		r.ResourceControl = c.Control(n.Account)
	}
	var policy *authpolicy.Policy
	if n.Policy != "" {
		var err error
		if policy, err = authpolicy.Parse(n.Policy, authpolicy.Resource); err != nil {
			return trellis.Denied("Access Denied") // a policy that does not compile denies
		}
	}
	if d := authpolicy.Access(r, policy, n.Account); !d.Allowed {
		return trellis.Denied("%s", strings.ToValidUTF8(d.Sentence(r), "?"))
	}
	return nil
}

// first is the first of a condition key's values, or "".
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// Access is a request for a bucket: who asks, by which action, and whose bucket it must be when ExpectedOwner is given.
type Access struct {
	Caller        *authpolicy.Caller
	Action        string // for example s3:GetBucketPolicy
	Bucket        string
	Key           string // of an object, empty for the bucket itself
	ExpectedOwner string
	Keys          map[string][]string // condition keys, in small letters
}

// allowed is the bucket of a request that its policy allows.
func (a *Access) allowed(tx *store.Tx) (*trellis.Bucket, error) {
	n, err := find(tx, a.Bucket)
	if err != nil {
		return nil, err
	}
	resource := n.ARN()
	if a.Key != "" {
		resource += "/" + a.Key
	}
	if err := authorize(a.Caller, n, a.Action, resource, a.Keys); err != nil {
		return nil, err
	}
	if a.ExpectedOwner != "" && a.ExpectedOwner != n.Account {
		return nil, trellis.Denied("Access Denied")
	}
	return n, nil
}

// Get returns a bucket.
func (b *Buckets) Get(ctx context.Context, a Access) (n *trellis.Bucket, err error) {
	err = b.Store.Read(ctx, func(tx *store.Tx) error {
		n, err = a.allowed(tx)
		return err
	})
	return n, err
}

// Change changes a bucket.
func (b *Buckets) Change(ctx context.Context, a Access, change func(*trellis.Bucket) error) (trellis.Revision, error) {
	return b.Store.Commit(ctx, func(tx *store.Tx) error {
		n, err := a.allowed(tx)
		if err != nil {
			return err
		}
		if err := change(n); err != nil {
			return err
		}
		n.UpdatedAt = b.Time()
		tx.Put(n)
		return nil
	})
}

// nameForm is the form of names of buckets (S3 user guide, bucketnamingrules); address is that of an IPv4 address, which
// is none.
var (
	nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	address  = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)
)

// validName tells whether a bucket may have a name.
func validName(name string) bool {
	return nameForm.MatchString(name) && !address.MatchString(name) && !strings.Contains(name, "..") && !strings.HasPrefix(name, "xn--")
}

// Create makes a bucket out of its name, tags, ACL and settings.
func (b *Buckets) Create(ctx context.Context, c *authpolicy.Caller, in trellis.Bucket, location string) (trellis.Revision, error) {
	if !validName(in.ID) {
		return 0, fault(400, "InvalidBucketName", "/"+in.ID, "The specified bucket is not valid.")
	}
	switch {
	case location == b.Region, location == "EU" && b.Region == "eu-west-1", location == "" && (b.Region == "us-east-1" || !b.Strict):
	case location == "":
		return 0, fault(400, "IllegalLocationConstraintException", "", "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")
	default:
		return 0, fault(400, "IllegalLocationConstraintException", "", "The %s location constraint is incompatible for the region specific endpoint this request was sent to.", location)
	}
	if err := CheckTags(in.Tags); err != nil {
		return 0, err
	}
	have, err := companion.Count[*trellis.Bucket](ctx, b.Records, c.Principal.Account)
	if err != nil {
		return 0, err
	}
	keys := authpolicy.TagKeys(nil, in.Tags, nil)
	return b.Commit(ctx, c, "s3:CreateBucket", trellis.BucketARN(in.ID), keys, func(tx *store.Tx) error {
		owners, err := tx.Marked(ownerSet(in.ID))
		if err != nil {
			return err
		}
		if len(owners) > 0 && owners[0] == c.Principal.Account {
			return fault(409, "BucketAlreadyOwnedByYou", "/"+in.ID, "Your previous request to create the named bucket succeeded and you already own it.")
		}
		taken := fault(409, "BucketAlreadyExists", "/"+in.ID, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.")
		if len(owners) > 0 {
			return taken
		}
		err = quota.Room[*trellis.Bucket](tx, b.Quotas, c.Principal.Account, quota.Buckets, have, func(int) *trellis.Error {
			return fault(400, "TooManyBuckets", "", "You have attempted to create more buckets than allowed")
		})
		if err != nil {
			return err
		}
		n := in
		n.Meta, n.Folder = b.Meta(c, in.ID, in.Tags), trellis.NewUUID()
		if err := companion.Claim(tx, ownerSet(n.ID), n.Key(), taken); err != nil {
			return err
		}
		tx.Mark(ownerSet(n.ID), n.Account)
		tx.Put(&n)
		return nil
	})
}

// CheckTags refuses tags that S3 takes for nothing.
func CheckTags(tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return fault(400, "BadRequest", "", "Bucket tag count cannot be greater than %d", trellis.MaxTags)
	}
	for k, v := range tags {
		if wrong := trellis.CheckTag(k, v); wrong != "" {
			return fault(400, "InvalidTag", "", "%s", wrong)
		}
	}
	return nil
}

// Delete removes a bucket without objects.
func (b *Buckets) Delete(ctx context.Context, a Access) (trellis.Revision, error) {
	n, err := b.Get(ctx, a)
	if err != nil {
		return 0, err
	}
	var rev trellis.Revision
	empty := b.files.drop(n.Folder, func() error {
		rev, err = b.Store.Commit(ctx, func(tx *store.Tx) error {
			n, err := a.allowed(tx)
			if err != nil {
				return err
			}
			tx.Release(ownerSet(n.ID))
			tx.Unmark(ownerSet(n.ID), n.Account)
			tx.Delete(n)
			return nil
		})
		return err
	})
	if !empty {
		return 0, fault(409, "BucketNotEmpty", "/"+a.Bucket, "The bucket you tried to delete is not empty")
	}
	return rev, err
}

// List returns the buckets of the caller's account by name.
func (b *Buckets) List(ctx context.Context, c *authpolicy.Caller) (all []*trellis.Bucket, err error) {
	err = b.Read(ctx, c, "s3:ListAllMyBuckets", "*", nil, func(tx *store.Tx) error {
		all, err = store.List[*trellis.Bucket](tx, c.Principal.Account+"/")
		return err
	})
	slices.SortFunc(all, func(x, y *trellis.Bucket) int { return strings.Compare(x.ID, y.ID) })
	return all, err
}

// SetPolicy sets the policy of a bucket, or removes it when it is empty. Its resources must be the bucket and its
// objects.
func (b *Buckets) SetPolicy(ctx context.Context, a Access, text string) (trellis.Revision, error) {
	if text != "" {
		if len(text) > maxPolicy {
			return 0, fault(400, "MalformedPolicy", "/"+a.Bucket, "Policy has more than %d bytes", maxPolicy)
		}
		if _, err := authpolicy.Parse(text, authpolicy.Resource); err != nil {
			return 0, fault(400, "MalformedPolicy", "/"+a.Bucket, "%s", err)
		}
	}
	return b.Change(ctx, a, func(n *trellis.Bucket) error {
		n.Policy = text
		return nil
	})
}

// Set sets the document of a sub-resource, or removes it when it is empty.
func (b *Buckets) Set(ctx context.Context, a Access, name, document string) (trellis.Revision, error) {
	if len(document) > maxSetting {
		return 0, fault(400, "InvalidRequest", "/"+a.Bucket, "The configuration is larger than %d bytes.", maxSetting)
	}
	return b.Change(ctx, a, func(n *trellis.Bucket) error {
		settings := companion.WithoutTags(n.Settings, []string{name})
		if document != "" {
			settings = companion.WithTags(settings, map[string]string{name: document})
		}
		n.Settings = settings
		return nil
	})
}
