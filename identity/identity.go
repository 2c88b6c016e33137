package identity

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// The accounts and names that exist from the first start.
const (
	ManagementAccount = "111122223333"
	AdministratorName = "administrator"
	AccessRoleName    = "OrganizationAccountAccessRole" // in every account that an organization makes
	awsAccount        = "aws"                           // owns AWS's own managed policies
)

// Statuses of accounts and access keys.
const (
	AccountActive    = "ACTIVE"
	AccountSuspended = "SUSPENDED"
	KeyActive        = "Active"
	KeyInactive      = "Inactive"
)

// The types of an organization's policies that Trellis has (Organizations API reference, Policy).
const (
	ServiceControlPolicy  = "SERVICE_CONTROL_POLICY"
	ResourceControlPolicy = "RESOURCE_CONTROL_POLICY"
)

// serviceLinkedPath begins the path of roles that belong to a service of AWS.
const serviceLinkedPath = "/aws-service-role/"

// Options are what an Identity needs.
type Options struct {
	Store  *store.Store
	Region string
	Now    func() time.Time // time.Now when nil
	Log    *slog.Logger
	// Directory is the newest directory, by which roles are assumed; nil while nothing was followed yet.
	Directory func() *Directory
	// Strict asks issuers of web identities by https alone, and not on this host's loopback.
	Strict bool
	// Roots are the authorities whose certificates issuers may show; nil: the system's.
	Roots func() *x509.CertPool
	// OrganizationID is the id of an organization that is made, for tests; empty: a random one.
	OrganizationID string
}

// Identity is what IAM, STS and Organizations mean. Its methods take the caller, ask the caller's policies,
// and return nouns that the caller may keep, with the revision of a change. They start nothing.
type Identity struct {
	o          Options
	sessionKey []byte
	issuers    *issuers // of web identities
}

// New returns an Identity.
func New(o Options) *Identity {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Identity{o: o, sessionKey: o.Store.Key(SessionKeyPurpose), issuers: newIssuers(o.Now, o.Strict, o.Roots)}
}

// directory is the newest directory. Until there is one, what an organization holds roles to is not known, so that nobody
// gets a session of one.
func (i *Identity) directory() (*Directory, error) {
	if i.o.Directory != nil {
		if d := i.o.Directory(); d != nil {
			return d, nil
		}
	}
	return nil, trellis.NewError(503, "ServiceUnavailable", "Trellis is starting")
}

// now is the time of a change, in whole milliseconds and UTC as answers show it.
func (i *Identity) now() time.Time { return i.o.Now().UTC().Truncate(time.Millisecond) }

// meta returns the Meta of a noun that is being made in the caller's account: idPrefix, AIDA for example, begins
// its id.
func (i *Identity) meta(c *authpolicy.Caller, idPrefix string, tags map[string]string) trellis.Meta {
	now := i.now()
	return trellis.Meta{Account: c.Principal.Account, ID: newID(idPrefix, 17), CreatedAt: now, UpdatedAt: now, Tags: maps.Clone(tags)}
}

// SessionKey opens session tokens, for NewDirectory.
func (i *Identity) SessionKey() []byte { return i.sessionKey }

// read runs fn on one revision after the caller's policies have allowed an action.
func (i *Identity) read(ctx context.Context, c *authpolicy.Caller, action, resource string, fn func(*store.Tx) error) error {
	if err := c.Authorize(action, resource, nil); err != nil {
		return err
	}
	return i.o.Store.Read(ctx, fn)
}

// commit is read for a change.
func (i *Identity) commit(ctx context.Context, c *authpolicy.Caller, action, resource string, keys map[string][]string, fn func(*store.Tx) error) (trellis.Revision, error) {
	if err := c.Authorize(action, resource, keys); err != nil {
		return 0, err
	}
	return i.o.Store.Commit(ctx, fn)
}

// lookUp reads a noun of IAM by its key after the caller's policies have allowed an action on it, by its ARN, tags and
// permissions boundary. One that does not exist is asked about by the ARN that it would have at the path "/", so that who
// may not ask is not told either.
func lookUp[T interface {
	trellis.Noun
	ARN() string
	Common() *trellis.Meta
}](tx *store.Tx, c *authpolicy.Caller, action, key, arn string, missing *trellis.Error, keys map[string][]string) (T, error) {
	n, err := store.Get[T](tx, key)
	if errors.Is(err, trellis.ErrNotExist) {
		if err := c.Authorize(action, arn, keys); err != nil {
			return n, err
		}
		return n, missing
	}
	if err != nil {
		return n, err
	}
	boundary := ""
	switch n := any(n).(type) {
	case *trellis.User:
		boundary = n.Boundary
	case *trellis.Role:
		boundary = n.Boundary
	}
	return n, authorizeOn(c, action, n.ARN(), n.Common().Tags, boundary, keys)
}

// authorizeOn asks a caller's policies about an action on what has tags and a permissions boundary, if any (Service
// Authorization Reference, list_awsidentityandaccessmanagementiam).
func authorizeOn(c *authpolicy.Caller, action, arn string, tags map[string]string, boundary string, keys map[string][]string) error {
	extra := maps.Clone(keys)
	if extra == nil {
		extra = map[string][]string{}
	}
	for k, v := range tags {
		extra["iam:resourcetag/"+lower(k)] = []string{v}
	}
	if _, asked := extra[boundaryKey]; !asked && boundary != "" {
		extra[boundaryKey] = []string{boundary}
	}
	return c.AuthorizeRequest(&authpolicy.Request{Action: action, Resource: arn, ResourceTags: tags, Extra: extra, Now: time.Now()})
}

// boundaryKey is the condition key of the permissions boundary that a request sets, or that its subject has.
const boundaryKey = "iam:permissionsboundary"

// passRole is the action of handing a role to a service.
const passRole = "iam:PassRole"

// PassRole asks whether a caller may hand a role to a service, for example ec2.amazonaws.com, to use with a resource whose
// ARN is empty while it has none.
func PassRole(c *authpolicy.Caller, r *trellis.Role, service, resource string) error {
	return authorizeOn(c, passRole, r.ARN(), r.Tags, "", passKeys(service, resource))
}

// passKeys are the condition keys of handing a role to a service.
func passKeys(service, resource string) map[string][]string {
	keys := map[string][]string{"iam:passedtoservice": {service}}
	if resource != "" {
		keys["iam:associatedresourcearn"] = []string{resource}
	}
	return keys
}

// get is store.Get with an error for the client when there is no such noun.
func get[T trellis.Noun](tx *store.Tx, key string, missing *trellis.Error) (T, error) {
	n, err := store.Get[T](tx, key)
	if errors.Is(err, trellis.ErrNotExist) {
		return n, missing
	}
	return n, err
}

// newKeys are the condition keys of a request that makes a user or role.
func newKeys(tags map[string]string, boundary string) map[string][]string {
	m := authpolicy.TagKeys(nil, tags, nil)
	if boundary != "" {
		if m == nil {
			m = map[string][]string{}
		}
		m[boundaryKey] = []string{boundary}
	}
	return m
}

// untagKeys are the condition keys of a request that removes tags.
func untagKeys(keys []string) map[string][]string { return map[string][]string{"aws:tagkeys": keys} }
