package daemon

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/dataplane"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/vpc"
)

// retryAfter is when the kernel is asked again for what it refused.
const retryAfter = 2 * time.Second

// Kinds of nouns by what is made of them.
var (
	identityKinds = []trellis.Kind{trellis.KindAccount, trellis.KindOrganization, trellis.KindOrganizationalUnit,
		trellis.KindOrganizationPolicy, trellis.KindUser, trellis.KindGroup, trellis.KindRole, trellis.KindAccessKey, trellis.KindSealingKey, trellis.KindManagedPolicy,
		trellis.KindTrustAnchor, trellis.KindAnywhereProfile, trellis.KindRevocationList}
	certificateKinds = []trellis.Kind{trellis.KindCertificate}
	// silentKinds change nothing that listens on this node: what was seen of targets comes from here, shares and resource policies matter to
	// the control plane alone, and the others to what is done with a request that has come.
	silentKinds = []trellis.Kind{trellis.KindTargetHealth, trellis.KindResourceShare, trellis.KindResourcePolicy, trellis.KindRule, trellis.KindAuthPolicy,
		trellis.KindTargetGroup, trellis.KindTarget, trellis.KindAccessLogSubscription, trellis.KindCertificate, trellis.KindAuthority,
		trellis.KindDomainVerification, trellis.KindResourceEndpointAssociation, trellis.KindCluster, trellis.KindPodIdentityAssociation,
		trellis.KindBucket, trellis.KindHostedZone, trellis.KindRecordSet, trellis.KindInstanceProfile, trellis.KindOIDCProvider, trellis.KindHandshake, trellis.KindAnywhereSubject, trellis.KindVolume}
)

// follow joins control and traffic: it follows the store and makes of each revision what this node needs,
// who calls (identity), where they call from (vpc), and where calls go (routing, targetgroup, accesslog).
// When all of it carries a revision, applied says so.
//
// last is what to carry until the store answers, if it does not yet. With an etcd that others run, what is carried is kept
// in the data directory from time to time, for such a start.
func (d *Daemon) follow(ctx context.Context, last *store.Change) error {
	changes := make(chan store.Change)
	ended := make(chan error, 1)
	go func() {
		ended <- d.store.Follow(ctx, func(c store.Change) error {
			for _, to := range []chan<- store.Change{changes, d.settling} {
				select {
				case to <- c:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	state := trellis.NewState()
	var retry <-chan time.Time
	var said string // the kernel's last complaint
	var keep <-chan time.Time
	if last != nil {
		touched := map[trellis.Kind]bool{}
		state = absorb(state, *last, touched)
		if err := d.converge(ctx, state, touched); err != nil {
			retry = time.After(retryAfter)
		}
		d.applied.set(state.Revision)
	}
	for {
		touched := map[trellis.Kind]bool{}
		before := state
		select {
		case c := <-changes:
			state = absorb(state, c, touched)
		case <-retry:
			touched[trellis.KindVPC] = true
		case <-keep:
			keep = nil
			d.keep(state)
			continue
		case err := <-ended:
			if keep != nil {
				d.keep(state)
			}
			return err
		}
		for more := true; more; { // what is waiting already is made together
			select {
			case c := <-changes:
				state = absorb(state, c, touched)
			default:
				more = false
			}
		}
		if retry != nil {
			touched[trellis.KindVPC] = true // what the kernel refused is not forgotten for a change elsewhere
			retry = nil
		}
		if err := d.converge(ctx, state, touched); err != nil && ctx.Err() == nil {
			if said != err.Error() {
				said = err.Error()
				d.log.Error("vpc is not as its nouns say", "error", err, "revision", state.Revision)
			}
			retry = time.After(retryAfter)
		} else {
			said = ""
		}
		d.applied.set(state.Revision)
		if keep == nil && len(d.config.Etcd) > 0 {
			keep = time.After(keepAfter)
		}
		if state != before {
			debug.FreeOSMemory() // reading a snapshot takes much that is not needed again
		}
	}
}

// settle lets the control plane see what is followed: see controlplane.Options.
func (d *Daemon) settle(ctx context.Context, fn func(store.Change) error) error {
	for {
		select {
		case c := <-d.settling:
			if err := fn(c); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keepAfter is how much later than a change at most what is carried is kept in the data directory.
const keepAfter = 10 * time.Second

// keep keeps a state in the data directory.
func (d *Daemon) keep(st *trellis.State) {
	if err := d.store.Keep(st.Revision, st.Count(), st.Nouns()); err != nil {
		d.log.Warn("what is carried can't be kept for a start without the store", "error", err)
	}
}

// absorb applies a change to the state and notes the kinds that it touched. A snapshot replaces the state.
func absorb(st *trellis.State, c store.Change, touched map[trellis.Kind]bool) *trellis.State {
	if c.Snapshot {
		for _, k := range st.Kinds() {
			touched[k] = true
		}
		st = trellis.StateOf(c.Puts)
		for _, k := range st.Kinds() {
			touched[k] = true
		}
		c.Puts = nil
	}
	for _, n := range c.Puts {
		st.Put(n)
		touched[n.Kind()] = true
	}
	for _, del := range c.Deletes {
		st.Delete(del.Kind, del.Key)
		touched[del.Kind] = true
	}
	st.Revision = c.Revision
	return st
}

// converge makes this node carry a state. The order matters: callers are known and networks exist before a
// table sends anybody there. Its error is about the kernel alone; the rest can't fail.
func (d *Daemon) converge(ctx context.Context, st *trellis.State, touched map[trellis.Kind]bool) error {
	kinds := slices.Collect(maps.Keys(touched))
	in := func(set []trellis.Kind) bool {
		return slices.ContainsFunc(kinds, func(k trellis.Kind) bool { return slices.Contains(set, k) })
	}
	if in(identityKinds) {
		before := d.directory.Load()
		now := identity.NewDirectory(st, before, d.sessionKey, time.Now)
		d.directory.Store(now)
		if now != before {
			d.certifying.Store(&dataplane.Certifying{Caller: now.CertificateCaller})
		}
	}
	var err error
	if in(vpc.Kinds) {
		err = d.vpcs.Apply(ctx, st)
	}
	if in(identityKinds) || in(vpc.Kinds) {
		d.vouching.Store(d.vouch(st))
	}
	if in(certificateKinds) {
		d.keys.Store(certificate.NewKeys(st, d.config.Region, d.keys.Load()))
	}
	// These make anew what changed since they were asked before, and are asked about every revision: that is cheap,
	// while to wait is not, as a State does not remember its changes for ever.
	d.groups.Apply(st)
	d.accessLog.Apply(st)
	d.table.Store(routing.Build(st, routing.Options{Region: d.config.Region}, d.table.Load()))
	if slices.ContainsFunc(kinds, func(k trellis.Kind) bool {
		return !slices.Contains(identityKinds, k) && !slices.Contains(silentKinds, k)
	}) {
		err = errors.Join(err, d.presences.reconcile(st, d.table.Load()))
	}
	d.log.Debug("revision applied", slog.Int64("revision", st.Revision))
	return err
}
