package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/function"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// TargetID names a target in a request: an address, an instance id or an ARN, and a port, 0 for the
// target group's own.
type TargetID struct {
	ID   string
	Port int
}

// TargetFailure is why one target of a call was refused. AWS documents no codes.
type TargetFailure struct {
	TargetID
	Code    string
	Message string
}

// Target is a target with its status.
type Target struct {
	*trellis.Target
	Status     trellis.TargetStatus
	ReasonCode string // empty when HEALTHY
}

// The reason codes of ListTargets. The first two are AWS's; the others fill what AWS does not document.
const (
	reasonNotInUse     = "TargetGroupNotInUse"
	reasonNotSupported = "HealthCheckNotSupported"
	reasonDisabled     = "HealthCheckDisabled"
	reasonInitial      = "InitialHealthChecking"
	reasonDraining     = "DeregistrationInProgress"
)

// lattice is VPC Lattice as a caller of other services.
const lattice = "vpc-lattice.amazonaws.com"

// RegisterTargets adds targets to a target group. Each stands for itself: the answer tells which were taken
// and which not. Registering a target again changes nothing, but ends its draining.
func (p *Plane) RegisterTargets(ctx context.Context, c *authpolicy.Caller, group string, ids []TargetID) (done []TargetID, failed []TargetFailure, rev trellis.Revision, err error) {
	before, err := count[*trellis.Target](ctx, p, account(c)+"/"+trellis.LastPart(group)+"/")
	if err != nil {
		return nil, nil, 0, err
	}
	rev, err = p.commit(ctx, func(tx *store.Tx) error {
		done, failed = nil, nil
		g, err := p.targetGroupOf(tx, c, group, "vpc-lattice:RegisterTargets", ids)
		if err != nil {
			return err
		}
		if err := p.ready("TARGET_GROUP", g.ID, g.Status); err != nil {
			return err
		}
		have, err := p.countTargets(tx, g, before+len(ids))
		if err != nil {
			return err
		}
		for _, id := range ids {
			t, why, err := p.newTarget(tx, c, g, id)
			if err != nil {
				return err
			}
			if why != nil {
				failed = append(failed, *why)
				continue
			}
			old, err := store.Get[*trellis.Target](tx, t.Key())
			missing := errors.Is(err, trellis.ErrNotExist)
			if err != nil && !missing {
				return err
			}
			if missing {
				if err := p.roomForTarget(tx, g, have); err != nil {
					return err
				}
				have++
			}
			if missing || old.DrainingSince != nil {
				tx.Delete(&trellis.TargetHealth{TargetKey: t.Key()})
				tx.Put(t)
				if g.Type == trellis.TargetsALB {
					tx.Mark(balancerTargets(t.ID), t.Key())
				}
			}
			done = append(done, TargetID{t.ID, t.Port})
		}
		return nil
	})
	return done, failed, rev, err
}

// targetGroupOf returns the target group that targets are asked of, and checks how many they are.
func (p *Plane) targetGroupOf(tx *store.Tx, c *authpolicy.Caller, group, action string, ids []TargetID) (*trellis.TargetGroup, error) {
	g, err := own[*trellis.TargetGroup](p, tx, c, group, targetGroupKind, action, nil)
	if err != nil {
		return nil, err
	}
	if most := p.Quotas.Default(quota.TargetsPerRegistration); len(ids) == 0 || len(ids) > most {
		return nil, field("targets", fmt.Sprintf("targets must hold 1 to %d targets.", most))
	}
	return g, nil
}

// roomForTarget checks that one more target may be registered beside n others.
func (p *Plane) roomForTarget(tx *store.Tx, g *trellis.TargetGroup, n int) error {
	if n > 0 && hasOneTarget(g) {
		return trellis.InvalidOther("A target group of type %s has one target.", g.Type)
	}
	return p.room(tx, g.Account, quota.TargetsPerTargetGroup, n, "TARGET")
}

// hasOneTarget tells whether the type of a target group allows it one target alone.
func hasOneTarget(g *trellis.TargetGroup) bool {
	return g.Type == trellis.TargetsLambda || g.Type == trellis.TargetsALB
}

// countTargets counts the targets of a group, of which most were counted before the transaction.
func (p *Plane) countTargets(tx *store.Tx, g *trellis.TargetGroup, most int) (int, error) {
	if hasOneTarget(g) {
		return store.Count[*trellis.Target](tx, g.Key()+"/")
	}
	return quota.Count[*trellis.Target](tx, p.Quotas, quota.TargetsPerTargetGroup, g.Key()+"/", most)
}

// newTarget checks one target for its target group. why is for a target that is refused.
func (p *Plane) newTarget(tx *store.Tx, c *authpolicy.Caller, g *trellis.TargetGroup, id TargetID) (t *trellis.Target, why *TargetFailure, err error) {
	refuse := func(code, format string, args ...any) (*trellis.Target, *TargetFailure, error) {
		return nil, &TargetFailure{id, code, fmt.Sprintf(format, args...)}, nil
	}
	if id.Port < 0 || id.Port > 65535 {
		return refuse("InvalidPort", "The port must be from 1 to 65535.")
	}
	t = &trellis.Target{Account: g.Account, TargetGroupID: g.ID, ID: id.ID, Port: id.Port, RegisteredAt: p.now()}
	if t.Port == 0 {
		t.Port = g.Port
	}
	switch g.Type {
	case trellis.TargetsIP:
		vpc, err := store.Get[*trellis.VPC](tx, g.Account+"/"+g.VPCID)
		if errors.Is(err, trellis.ErrNotExist) {
			return refuse("VpcNotFound", "The VPC %s of the target group does not exist.", g.VPCID)
		}
		if err != nil {
			return nil, nil, err
		}
		ip, code, message := checkAddress(g, vpc, id.ID)
		if code != "" {
			return refuse(code, "%s", message)
		}
		t.ID = ip.String()
	case trellis.TargetsInstance:
		i, err := store.Get[*trellis.Instance](tx, g.Account+"/"+id.ID)
		switch {
		case errors.Is(err, trellis.ErrNotExist), err == nil && i.State == trellis.InstanceTerminated:
			return refuse("InstanceNotFound", "The instance %s does not exist.", id.ID)
		case err != nil:
			return nil, nil, err
		case i.VPCID != g.VPCID:
			return refuse("InstanceNotInVpc", "The instance %s is not in VPC %s.", id.ID, g.VPCID)
		case i.State != trellis.InstanceRunning:
			return refuse("InstanceNotRunning", "The instance %s is not in the state running.", id.ID)
		}
	case trellis.TargetsLambda:
		if id.Port != 0 {
			return refuse("InvalidPort", "A Lambda function has no port.")
		}
		code, message, err := p.checkFunction(tx, c, g, id.ID)
		if err != nil || code != "" {
			return nil, &TargetFailure{id, code, message}, err
		}
	case trellis.TargetsALB:
		code, message, err := p.checkLoadBalancer(tx, g, t)
		if err != nil || code != "" {
			return nil, &TargetFailure{id, code, message}, err
		}
	}
	return t, nil, nil
}

// checkAddress checks an address as a target: of the group's family, inside the VPC, and nothing that means
// the node itself or more than one host. The code is empty when it is good.
func checkAddress(g *trellis.TargetGroup, vpc *trellis.VPC, text string) (ip netip.Addr, code, message string) {
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" || ip.Is4In6() {
		return ip, "InvalidTarget", "The target must be an IP address."
	}
	switch {
	case ip.Is4() != (g.IPAddressType != "IPV6"):
		return ip, "InvalidTarget", "The IP address is not of type " + g.IPAddressType + "."
	case ip.IsLoopback(), ip.IsLinkLocalUnicast(), ip.IsMulticast(), ip.IsUnspecified(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return ip, "InvalidTarget", "The IP address cannot be a target."
	case !vpc.Contains(ip):
		return ip, "IpNotInVpc", "The IP address is not in the CIDR blocks of VPC " + vpc.ID + "."
	}
	return ip, "", ""
}

// checkFunction checks a function, or a version or alias of one, as a target, and lets VPC Lattice invoke it for the group:
// registration adds that permission to the function's policy (VPC Lattice user guide, Lambda functions as targets), on
// behalf of a caller who may. It stays when the target goes. The code is empty when the function is good.
func (p *Plane) checkFunction(tx *store.Tx, c *authpolicy.Caller, g *trellis.TargetGroup, arn string) (code, message string, err error) {
	a, err := trellis.ParseARN(arn)
	name, qualifier := trellis.SplitFunctionARN(a)
	if err != nil || a.Partition != "aws" || name == "" || a.Region != p.Region || a.Account != g.Account {
		return "InvalidTarget", "The target must be the ARN of a Lambda function of the same account and Region.", nil
	}
	fn, err := store.Get[*trellis.Function](tx, a.Account+"/"+name)
	var tags map[string]string
	if err == nil {
		tags = fn.Tags
		_, err = function.Version(tx, fn, qualifier)
	}
	if err != nil && !errors.Is(err, trellis.ErrNotExist) {
		return "", "", err
	}
	if denied := authorize(c, "lambda:GetFunction", authpolicy.TagKeys(nil, nil, tags), arn); denied != nil {
		return "", "", denied
	}
	if err != nil {
		return "FunctionNotFound", fmt.Sprintf("The function %s does not exist.", arn), nil
	}
	sid := "vpc-lattice-" + g.ID
	if function.Permitted(fn, qualifier, sid) {
		return "", "", nil
	}
	if err := authorize(c, "lambda:AddPermission", authpolicy.TagKeys(keys{"lambda:principal": {lattice}}, nil, tags), arn); err != nil {
		return "", "", err
	}
	_, err = function.Permit(fn, qualifier, arn, function.Permission{StatementID: sid, Action: "lambda:InvokeFunction", Principal: lattice, SourceARN: g.ARN(p.Region)})
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return "InvalidTarget", e.Message, nil
	}
	tx.Put(fn)
	return "", "", err
}

// checkLoadBalancer checks a load balancer as a target: an internal Application Load Balancer of the account, in the group's
// VPC, and in few other groups (VPC Lattice user guide, Application Load Balancers as targets). That a listener is at the
// port is not asked: clients make listeners beside the registration. Nor is the type of its addresses: each internal one has
// IPv4. The code is empty when it is good.
func (p *Plane) checkLoadBalancer(tx *store.Tx, g *trellis.TargetGroup, t *trellis.Target) (code, message string, err error) {
	region, sort, ref, err := trellis.ParseLoadBalancingARN(t.ID)
	if err != nil || sort != "loadbalancer" || region != p.Region || ref.Account != g.Account || !strings.HasPrefix(ref.ID, "app/") {
		return "InvalidTarget", "The target must be the ARN of an Application Load Balancer of the same account and Region.", nil
	}
	b, err := store.Get[*trellis.LoadBalancer](tx, ref.Key())
	switch {
	case errors.Is(err, trellis.ErrNotExist):
		return "LoadBalancerNotFound", fmt.Sprintf("The load balancer %s does not exist.", t.ID), nil
	case err != nil:
		return "", "", err
	case b.VPCID != g.VPCID:
		return "LoadBalancerNotInVpc", fmt.Sprintf("The load balancer %s is not in VPC %s.", t.ID, g.VPCID), nil
	case b.Scheme != "internal":
		return "LoadBalancerNotInternal", fmt.Sprintf("The load balancer %s is not internal.", t.ID), nil
	}
	groups, err := tx.Marked(balancerTargets(t.ID))
	if err != nil || slices.Contains(groups, t.Key()) {
		return "", "", err
	}
	limit, full, err := p.Quotas.Reached(tx, g.Account, quota.TargetGroupsPerLoadBalancer, len(groups))
	if full {
		return "LoadBalancerInUse", fmt.Sprintf("The load balancer %s is a target of %d target groups, which is as many as it may be.", t.ID, limit), err
	}
	return "", "", err
}

// DeregisterTargets begins to take targets out of a target group: they are DRAINING for a minute, and gone at
// once when nothing can use them.
func (p *Plane) DeregisterTargets(ctx context.Context, c *authpolicy.Caller, group string, ids []TargetID) (done []TargetID, failed []TargetFailure, rev trellis.Revision, err error) {
	rev, err = p.commit(ctx, func(tx *store.Tx) error {
		done, failed = nil, nil
		g, err := p.targetGroupOf(tx, c, group, "vpc-lattice:DeregisterTargets", ids)
		if err != nil {
			return err
		}
		users, err := tx.Marked(targetGroupUse(g.Key()))
		if err != nil {
			return err
		}
		for _, id := range ids {
			t, err := store.Get[*trellis.Target](tx, targetKey(g, id))
			if errors.Is(err, trellis.ErrNotExist) {
				failed = append(failed, TargetFailure{id, "TargetNotRegistered", fmt.Sprintf("The target %s is not registered.", id.ID)})
				continue
			}
			if err != nil {
				return err
			}
			switch {
			case t.DrainingSince != nil:
			case len(users) == 0:
				dropTarget(tx, t)
			default:
				now := p.now()
				t.DrainingSince = &now
				tx.Put(t)
			}
			done = append(done, TargetID{t.ID, t.Port})
		}
		return nil
	})
	return done, failed, rev, err
}

// targetKey is the key of the target that id names in a group.
func targetKey(g *trellis.TargetGroup, id TargetID) string {
	t := trellis.Target{Account: g.Account, TargetGroupID: g.ID, ID: id.ID, Port: id.Port}
	if t.Port == 0 {
		t.Port = g.Port
	}
	if ip, err := netip.ParseAddr(id.ID); err == nil && g.Type == trellis.TargetsIP {
		t.ID = ip.String()
	}
	return t.Key()
}

// dropTarget removes a target and what is known of its health.
func dropTarget(tx *store.Tx, t *trellis.Target) {
	if strings.HasPrefix(t.ID, "arn:") { // of a load balancer or function
		tx.Unmark(balancerTargets(t.ID), t.Key())
	}
	tx.Delete(&trellis.TargetHealth{TargetKey: t.Key()})
	tx.Delete(t)
}

// ListTargets lists the targets of a group with their status, all of them or those that ids names. What ids
// names and is not registered is left out.
func (p *Plane) ListTargets(ctx context.Context, c *authpolicy.Caller, group string, ids []TargetID, pg Page) ([]Target, string, error) {
	var list []Target
	var next string
	err := p.read(ctx, func(tx *store.Tx) error {
		g, err := own[*trellis.TargetGroup](p, tx, c, group, targetGroupKind, "vpc-lattice:ListTargets", nil)
		if err != nil {
			return err
		}
		if len(ids) > 20 {
			return field("targets", "targets must hold at most 20 targets.")
		}
		targets, err := store.List[*trellis.Target](tx, g.Key()+"/")
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			targets = slices.DeleteFunc(targets, func(t *trellis.Target) bool {
				return !slices.ContainsFunc(ids, func(id TargetID) bool {
					return targetKey(g, id) == t.Key() || id.Port == 0 && id.ID == t.ID
				})
			})
		}
		targets, next = paginate(targets, (*trellis.Target).Key, pg)
		users, err := tx.Marked(targetGroupUse(g.Key()))
		if err != nil {
			return err
		}
		list = list[:0]
		for _, t := range targets {
			status, reason, err := targetStatus(tx, g, t, len(users) > 0)
			if err != nil {
				return err
			}
			list = append(list, Target{t, status, reason})
		}
		return nil
	})
	return list, next, err
}

// targetStatus is the status of a target and its reason. used says that a listener or rule uses the group.
func targetStatus(tx *store.Tx, g *trellis.TargetGroup, t *trellis.Target, used bool) (trellis.TargetStatus, string, error) {
	switch {
	case t.DrainingSince != nil:
		return trellis.TargetDraining, reasonDraining, nil
	case !used:
		return trellis.TargetUnused, reasonNotInUse, nil
	case g.HealthCheck == nil:
		return trellis.TargetUnavailable, reasonNotSupported, nil
	case !g.HealthCheck.Enabled:
		return trellis.TargetUnavailable, reasonDisabled, nil
	}
	h, err := store.Get[*trellis.TargetHealth](tx, t.Key())
	switch {
	case errors.Is(err, trellis.ErrNotExist), err == nil && h.At.Before(t.RegisteredAt),
		err == nil && h.Status != trellis.TargetHealthy && h.Status != trellis.TargetUnhealthy:
		return trellis.TargetInitial, reasonInitial, nil
	case err != nil:
		return "", "", err
	}
	return h.Status, h.ReasonCode, nil
}

// ReportHealth keeps what a node saw of targets, in one transaction. What is about targets that are gone,
// or that was seen before their registration, is dropped.
func (p *Plane) ReportHealth(ctx context.Context, seen []trellis.TargetHealth) error {
	for batch := range slices.Chunk(seen, 100) {
		_, err := p.Store.Commit(ctx, func(tx *store.Tx) error {
			for _, h := range batch {
				t, err := store.Get[*trellis.Target](tx, h.TargetKey)
				if errors.Is(err, trellis.ErrNotExist) {
					continue
				}
				if err != nil {
					return err
				}
				if !h.At.Before(t.RegisteredAt) {
					tx.Put(&h)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("report the health of %d targets: %w", len(batch), err)
		}
	}
	return nil
}

// nextTarget removes a target when its draining is over.
func (p *Plane) nextTarget(t *trellis.Target) *settling {
	if t.DrainingSince == nil {
		return nil
	}
	key, since := t.Key(), *t.DrainingSince
	return &settling{at: since.Add(p.Draining), step: func(tx *store.Tx) (bool, error) {
		t, err := store.Get[*trellis.Target](tx, key)
		if err != nil || t.DrainingSince == nil || !t.DrainingSince.Equal(since) {
			return false, err
		}
		dropTarget(tx, t)
		return false, nil
	}}
}
