package daemon

import (
	"net/netip"
	"sync"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/dataplane"
	"github.com/trellis-project/trellis/identity"
)

// AttestTag is the tag that lets the network vouch for who sends unsigned requests: "true" on a VPC association for the
// instances of its account, or on an instance, where "false" excepts it (docs/modes.md).
const AttestTag = "trellis:attest-identity"

// vouch makes what the data plane asks about unsigned requests; nil when nobody has opted in, and in strict mode. Lab
// instances are the one kind of workload that the network knows yet; pods and attached hosts would be looked for here.
func (d *Daemon) vouch(st *trellis.State) *dataplane.Vouching {
	if d.config.Compatibility == Strict {
		return nil
	}
	byAssociation := map[string]string{} // to the account that opted in
	for a := range trellis.All[*trellis.VPCAssociation](st) {
		if a.Tags[AttestTag] == "true" {
			byAssociation[a.ID] = a.Account
		}
	}
	instances := map[string]*trellis.Instance{}
	for in := range trellis.All[*trellis.Instance](st) {
		if tag := in.Tags[AttestTag]; in.RoleARN != "" && (tag == "true" || tag != "false" && len(byAssociation) > 0) {
			instances[in.Key()] = in
		}
	}
	if len(instances) == 0 {
		return nil
	}
	directory := d.directory.Load()
	var callers sync.Map // *authpolicy.Caller by the instance's key, nil ones too
	return &dataplane.Vouching{Caller: func(vpcID, associationID string, from netip.Addr) (string, *authpolicy.Caller) {
		key, ok := d.vpcs.InstanceAt(vpcID, from) // the kernel lets nobody else send from there
		in := instances[key]
		if !ok || in == nil || in.Tags[AttestTag] != "true" && byAssociation[associationID] != in.Account {
			return key, nil
		}
		if c, ok := callers.Load(key); ok {
			return key, c.(*authpolicy.Caller)
		}
		c, err := directory.ServiceCaller(identity.ServiceSession{RoleARN: in.RoleARN, Service: "ec2.amazonaws.com", SessionName: in.ID})
		if err != nil {
			d.log.Info("no identity to attest", "instance", key, "role", in.RoleARN, "error", err)
			c = nil
		}
		callers.Store(key, c)
		return key, c
	}}
}
