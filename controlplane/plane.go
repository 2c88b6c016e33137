// Package controlplane is what each operation of VPC Lattice, EC2, RAM and ACM means: who may, what must hold
// before, what is written in one transaction, and how statuses move on afterwards.
//
// One file holds one noun. Every method takes the caller, checks the caller's own policies and the shares of
// other accounts, and returns nouns and the revision of its commit. A resource that the caller may not know
// of looks exactly like one that does not exist.
package controlplane

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// Options is what a Plane needs. Store and Region are required.
type Options struct {
	Store  *store.Store
	Region string
	// Strict refuses what AWS refuses although the guide shows it (docs/modes.md).
	Strict bool
	// Now is the clock, time.Now when nil.
	Now func() time.Time
	// Applied returns when the traffic side of this node carries a revision, or when ctx is done. Statuses
	// become ACTIVE, and deleted nouns disappear, only after it. Nil means at once.
	Applied func(ctx context.Context, rev trellis.Revision) error
	// LogGroup makes sure that the CloudWatch log group of an ARN exists and that an account may deliver
	// to it. It returns a *trellis.Error for the client. Nil accepts every ARN.
	LogGroup func(ctx context.Context, account, arn string) error
	// LookupTXT looks up the TXT records of a domain name, to verify who owns it. Nil means as the machine resolves names.
	LookupTXT func(ctx context.Context, name string) ([]string, error)
	// Log takes what goes wrong in the background, slog.Default() when nil.
	Log *slog.Logger
	// Quotas limits what accounts may have. It is strict when the Plane is.
	Quotas quota.Limits
	// Follow calls fn with all nouns and then every change, as store.Store.Follow does, which it is when nil. Who follows the
	// store anyway lends the plane its eyes, so that nouns are read once.
	Follow func(ctx context.Context, fn func(store.Change) error) error
	// Draining is how long a deregistered target stays DRAINING. Zero means DrainingTime.
	Draining time.Duration
}

// DrainingTime is AWS's fixed deregistration delay (VPC Lattice API, TargetSummary).
const DrainingTime = time.Minute

// appliedTimeout bounds the wait for the traffic side: a node that is stuck must not keep every noun of
// every account IN_PROGRESS.
const appliedTimeout = 10 * time.Second

// Plane carries out operations. It is safe for concurrent use.
type Plane struct {
	Options
	// unsettled holds the kind/key of nouns that the store says are ACTIVE but the traffic side does not
	// carry yet, with the status to show until it does.
	unsettled sync.Map
	// preparing is held by the one that makes keys, or whatever else takes a processor for a while.
	preparing sync.Mutex
	// verifying holds the keys of domain verifications whose records are being looked for.
	verifying sync.Map
}

// New returns a Plane. It starts nothing: Run moves the statuses.
func New(o Options) *Plane {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Applied == nil {
		o.Applied = func(context.Context, trellis.Revision) error { return nil }
	}
	if o.LogGroup == nil {
		o.LogGroup = func(context.Context, string, string) error { return nil }
	}
	if o.LookupTXT == nil {
		o.LookupTXT = net.DefaultResolver.LookupTXT
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Follow == nil {
		o.Follow = o.Store.Follow
	}
	o.Quotas.Strict = o.Quotas.Strict || o.Strict
	if o.Draining == 0 {
		o.Draining = DrainingTime
	}
	return &Plane{Options: o}
}

// now is the clock in the precision that AWS's API shows.
func (p *Plane) now() time.Time { return p.Now().UTC().Truncate(time.Millisecond) }

// meta returns the Meta of a noun that is being created: a new id with prefix ("svc"), the caller's account
// and the clock.
func (p *Plane) meta(c *authpolicy.Caller, prefix string, tags map[string]string) trellis.Meta {
	now := p.now()
	return trellis.Meta{Account: account(c), ID: trellis.NewID(prefix), CreatedAt: now, UpdatedAt: now, Tags: tags}
}

// account is the account that a caller acts in.
func account(c *authpolicy.Caller) string { return c.Principal.Account }

// read runs fn on one consistent revision.
func (p *Plane) read(ctx context.Context, fn func(*store.Tx) error) error {
	return p.Store.Read(ctx, fn)
}

// commit runs fn as one transaction, several times when others write what it reads. A client token that was
// used with other parameters becomes a ConflictException (the class is ours: AWS does not tell it).
func (p *Plane) commit(ctx context.Context, fn func(*store.Tx) error) (trellis.Revision, error) {
	rev, err := p.Store.Commit(ctx, fn)
	var reused *store.TokenReusedError
	if errors.As(err, &reused) {
		return 0, trellis.Conflict("CLIENT_TOKEN", trellis.LastPart(reused.Key), "The client token was already used with different parameters.")
	}
	return rev, err
}

// claim takes a unique name for holder, and answers a ConflictException with the message when another noun
// holds it.
func claim(tx *store.Tx, name, holder, resourceType, format string, args ...any) error {
	err := tx.Claim(name, holder)
	var taken *store.TakenError
	if errors.As(err, &taken) {
		return trellis.Conflict(resourceType, trellis.LastPart(taken.Holder), format, args...)
	}
	return err
}

// keys are the condition keys that an operation gives to the caller's policies, names in lower case.
type keys = map[string][]string

// authorize checks the caller's own policies for one action on one or more resources. The error is an
// AccessDeniedException in AWS's words. Of what makes something in VPC Lattice, vpc-lattice:CreateAction is the name.
func authorize(c *authpolicy.Caller, action string, k keys, arns ...string) error {
	if name, is := strings.CutPrefix(action, "vpc-lattice:"); is && (strings.HasPrefix(name, "Create") || strings.HasPrefix(name, "Start")) {
		if k = maps.Clone(k); k == nil {
			k = keys{}
		}
		k["vpc-lattice:createaction"] = []string{name}
	}
	for _, arn := range arns {
		if err := c.Authorize(action, arn, k); err != nil {
			return err
		}
	}
	return nil
}
