package controlplane

import (
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// checkAction checks the action of a listener or rule of a service and replaces the identifiers of its target
// groups by ids. A target group belongs to the service's account, speaks what the listener can forward, and
// serves one service only.
func (p *Plane) checkAction(tx *store.Tx, c *authpolicy.Caller, l *trellis.Listener, a *trellis.Action) error {
	switch {
	case a.FixedResponse != 0 && len(a.Forward) > 0, a.FixedResponse == 0 && len(a.Forward) == 0:
		return field("action", "An action is either forward with target groups or fixedResponse.")
	case a.FixedResponse != 0 && a.FixedResponse != 404 && a.FixedResponse != 500:
		return field("statusCode", "Only 404 and 500 are supported as statusCode of a fixedResponse.")
	case a.FixedResponse != 0 && l.Protocol == trellis.ProtocolTLSPassthrough:
		return field("defaultAction", "A TLS_PASSTHROUGH listener can only forward.")
	case len(a.Forward) > 10:
		return field("targetGroups", "An action can forward to at most 10 target groups.")
	}
	forward := make([]trellis.WeightedTargetGroup, 0, len(a.Forward))
	seen := map[string]bool{}
	for _, w := range a.Forward {
		ref, err := p.ref(c, w.TargetGroupID, targetGroupKind)
		if err != nil {
			return err
		}
		if ref.Account != account(c) {
			return trellis.NotFound("TARGET_GROUP", ref.ID)
		}
		g, err := get[*trellis.TargetGroup](tx, ref, "TARGET_GROUP")
		if err != nil {
			return err
		}
		switch {
		case w.Weight < 0 || w.Weight > 999:
			return field("weight", "A weight is from 0 to 999.")
		case seen[g.ID]:
			return field("targetGroups", "Target group "+g.ID+" is named twice.")
		case (g.Protocol == trellis.ProtocolTCP) != (l.Protocol == trellis.ProtocolTLSPassthrough):
			return trellis.InvalidOther("The protocol %s of target group %s does not fit a listener of protocol %s.", g.Protocol, g.ID, l.Protocol)
		}
		if err := p.ready("TARGET_GROUP", g.ID, g.Status); err != nil {
			return err
		}
		users, err := tx.Marked(targetGroupUse(g.Key()))
		if err != nil {
			return err
		}
		for _, user := range users {
			if !strings.HasPrefix(user, l.Account+"/"+l.ServiceID+"/") {
				return trellis.Conflict("TARGET_GROUP", g.ID, "TargetGroup %s has been associated with other services", g.ID)
			}
		}
		seen[g.ID] = true
		forward = append(forward, trellis.WeightedTargetGroup{TargetGroupID: g.ID, Weight: w.Weight})
	}
	if a.Forward = nil; len(forward) > 0 {
		a.Forward = forward
	}
	return nil
}

// useTargetGroups keeps the references from a listener or rule (key, last part of its id) to target groups,
// when its action changes from before to after, and the quota of target groups of the service. The zero
// Action is none.
func (p *Plane) useTargetGroups(tx *store.Tx, l *trellis.Listener, user string, before, after trellis.Action) error {
	service := l.Account + "/" + l.ServiceID
	id := trellis.LastPart(user)
	for _, w := range before.Forward {
		tx.Unmark(targetGroupUse(l.Account+"/"+w.TargetGroupID), user)
		tx.Unmark(serviceTargetGroups(service), w.TargetGroupID+"/"+id)
	}
	for _, w := range after.Forward {
		tx.Mark(targetGroupUse(l.Account+"/"+w.TargetGroupID), user)
		tx.Mark(serviceTargetGroups(service), w.TargetGroupID+"/"+id)
	}
	if len(after.Forward) == 0 {
		return nil
	}
	used, err := tx.Marked(serviceTargetGroups(service))
	if err != nil {
		return err
	}
	groups := map[string]bool{}
	for _, m := range used {
		group, _, _ := strings.Cut(m, "/")
		groups[group] = true
	}
	return p.room(tx, l.Account, quota.TargetGroupsPerService, len(groups)-1, "TARGET_GROUP")
}

// targetGroupKeys are the condition keys of an action, which may be nil: the ARNs of its target groups.
func (p *Plane) targetGroupKeys(c *authpolicy.Caller, a *trellis.Action) keys {
	k := keys{}
	if a == nil {
		return k
	}
	for _, w := range a.Forward {
		if ref, err := p.ref(c, w.TargetGroupID, targetGroupKind); err == nil {
			k["vpc-lattice:targetgrouparns"] = append(k["vpc-lattice:targetgrouparns"], trellis.LatticeARN(p.Region, ref.Account, "targetgroup/"+ref.ID))
		}
	}
	return k
}
