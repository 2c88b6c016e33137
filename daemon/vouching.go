package daemon

import (
	"log/slog"
	"net/netip"
	"sync"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/dataplane"
	"github.com/trellis-project/trellis/identity"
)

// AttestTag is the tag that lets the network vouch for who sends unsigned requests: "true" on a VPC association for the
// instances of its account, or on an instance, where "false" excepts it (docs/decisions/0017-identity-without-code.md).
const AttestTag = "trellis:attest-identity"

// voucher knows which lab instance has an address, and vouches for it with its role. It is of one state and directory.
// Lab instances are the one kind of workload that it knows; pods and attached hosts would stand beside them.
type voucher struct {
	instanceAt    func(vpcID string, a netip.Addr) (key string, ok bool) // what the kernel holds everybody to
	directory     *identity.Directory
	region        string
	log           *slog.Logger
	instances     map[string]*trellis.Instance // those that may have opted in, by key
	byAssociation map[string]string            // the associations that have, with their account
	callers       sync.Map                     // *authpolicy.Caller by the instance's key, nil ones too
}

// vouch makes what the data plane asks about unsigned requests; nil when nobody has opted in, and in strict mode.
func (d *Daemon) vouch(st *trellis.State) *dataplane.Vouching {
	if d.config.Compatibility == Strict {
		return nil
	}
	v := newVoucher(st, d.directory.Load())
	if v == nil {
		return nil
	}
	v.instanceAt, v.log, v.region = d.vpcs.InstanceAt, d.log, d.config.Region
	return &dataplane.Vouching{Caller: v.caller}
}

// newVoucher collects who has opted in; nil when that is nobody.
func newVoucher(st *trellis.State, directory *identity.Directory) *voucher {
	v := &voucher{directory: directory, instances: map[string]*trellis.Instance{}, byAssociation: map[string]string{}}
	for a := range trellis.All[*trellis.VPCAssociation](st) {
		if a.Tags[AttestTag] == "true" {
			v.byAssociation[a.ID] = a.Account
		}
	}
	for in := range trellis.All[*trellis.Instance](st) {
		if tag := in.Tags[AttestTag]; in.RoleARN != "" && (tag == "true" || tag != "false" && len(v.byAssociation) > 0) {
			v.instances[in.Key()] = in
		}
	}
	if len(v.instances) == 0 {
		return nil
	}
	return v
}

// caller is dataplane.Vouching's: the session that the instance's metadata service would give, without its token.
func (v *voucher) caller(vpcID, associationID string, from netip.Addr) (holder string, c *authpolicy.Caller) {
	key, ok := v.instanceAt(vpcID, from)
	in := v.instances[key]
	if !ok || in == nil || in.Tags[AttestTag] != "true" && v.byAssociation[associationID] != in.Account {
		return key, nil
	}
	if known, ok := v.callers.Load(key); ok {
		return key, known.(*authpolicy.Caller)
	}
	c, err := v.directory.ServiceCaller(instanceSession(in, v.region))
	if err != nil {
		v.log.Info("no identity to vouch for", "instance", key, "role", in.RoleARN, "error", err)
		c = nil
	}
	v.callers.Store(key, c)
	return key, c
}
