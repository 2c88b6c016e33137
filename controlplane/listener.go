package controlplane

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// get reads a noun that an identifier was resolved to.
func get[T trellis.Noun](tx *store.Tx, ref trellis.Ref, resourceType string) (T, error) {
	n, err := store.Get[T](tx, ref.Key())
	if errors.Is(err, trellis.ErrNotExist) {
		return n, trellis.NotFound(resourceType, ref.ID)
	}
	return n, err
}

// serviceOf returns the service that a listener or rule is asked of, after the caller's policies have
// allowed action on arn, which arn makes from the service's account and id. Only the owner of a service sees
// its listeners and rules, however it is shared.
func (p *Plane) serviceOf(tx *store.Tx, c *authpolicy.Caller, service, action string, k keys, resource func(trellis.Ref) string) (*trellis.Service, error) {
	ref, err := p.ref(c, service, serviceKind)
	if err != nil {
		return nil, err
	}
	if err := authorize(c, action, k, trellis.LatticeARN(p.Region, ref.Account, resource(ref))); err != nil {
		return nil, err
	}
	if ref.Account != account(c) {
		arn := trellis.LatticeARN(p.Region, ref.Account, "service/"+ref.ID)
		if err := p.reach(tx, c, ref, arn, serviceKind, action, nil); err != nil {
			return nil, err
		}
		return nil, notOwner(c, action, arn)
	}
	return get[*trellis.Service](tx, ref, "SERVICE")
}

// below is the id that an identifier of a listener or rule names below a parent, whose resource path is for
// example service/svc-…. An ARN must be the parent's.
func (p *Plane) below(c *authpolicy.Caller, identifier, parent, part, resourceType string) (string, error) {
	id := trellis.LastPart(identifier)
	if id != identifier && identifier != trellis.LatticeARN(p.Region, account(c), parent+"/"+part+"/"+id) || id == "" {
		return "", trellis.NotFound(resourceType, id)
	}
	return id, nil
}

// listenerOf returns a listener and its service, as serviceOf does.
func (p *Plane) listenerOf(tx *store.Tx, c *authpolicy.Caller, service, listener, action string, k keys) (*trellis.Service, *trellis.Listener, error) {
	s, err := p.serviceOf(tx, c, service, action, k, func(s trellis.Ref) string {
		return "service/" + s.ID + "/listener/" + trellis.LastPart(listener)
	})
	if err != nil {
		return nil, nil, err
	}
	l, err := p.listenerIn(tx, c, s, listener)
	return s, l, err
}

// listenerIn reads a listener of a service.
func (p *Plane) listenerIn(tx *store.Tx, c *authpolicy.Caller, s *trellis.Service, listener string) (*trellis.Listener, error) {
	id, err := p.below(c, listener, "service/"+s.ID, "listener", "LISTENER")
	if err != nil {
		return nil, err
	}
	return get[*trellis.Listener](tx, trellis.Ref{Account: s.Key(), ID: id}, "LISTENER")
}

// CreateListener makes a listener of a service. l gives name, protocol, port (0: the protocol's own),
// default action and tags.
func (p *Plane) CreateListener(ctx context.Context, c *authpolicy.Caller, service, token string, l trellis.Listener) (*trellis.Listener, trellis.Revision, error) {
	if l.Port == 0 {
		l.Port = 443
		if l.Protocol == trellis.ProtocolHTTP {
			l.Port = 80
		}
	}
	var made *trellis.Listener
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		k := authpolicy.TagKeys(p.targetGroupKeys(c, &l.DefaultAction), l.Tags, nil)
		k["vpc-lattice:protocol"] = []string{string(l.Protocol)}
		s, err := p.serviceOf(tx, c, service, "vpc-lattice:CreateListener", k, func(s trellis.Ref) string { return "service/" + s.ID + "/listener/*" })
		if err != nil {
			return err
		}
		if err := p.checkListener(s, &l); err != nil {
			return err
		}
		made, err = store.Once(tx, s.Key()+"/CreateListener", token, l, func() (*trellis.Listener, error) {
			return p.makeListener(tx, c, s, l)
		})
		return err
	})
	return made, rev, err
}

// checkListener checks what a listener is by itself and for its service.
func (p *Plane) checkListener(s *trellis.Service, l *trellis.Listener) error {
	if err := validName("name", l.Name, "listener-", 3, 63); err != nil {
		return err
	}
	if !slices.Contains([]trellis.Protocol{trellis.ProtocolHTTP, trellis.ProtocolHTTPS, trellis.ProtocolTLSPassthrough}, l.Protocol) {
		return field("protocol", "protocol must be HTTP, HTTPS or TLS_PASSTHROUGH.")
	}
	if l.Port < 1 || l.Port > 65535 {
		return field("port", "port must be from 1 to 65535.")
	}
	if l.Protocol == trellis.ProtocolTLSPassthrough && s.CustomDomainName == "" {
		return trellis.InvalidOther("A TLS_PASSTHROUGH listener needs a service with a custom domain name.")
	}
	return p.validTags(l.Tags)
}

// makeListener puts a new listener.
func (p *Plane) makeListener(tx *store.Tx, c *authpolicy.Caller, s *trellis.Service, l trellis.Listener) (*trellis.Listener, error) {
	if err := p.ready("SERVICE", s.ID, s.Status); err != nil {
		return nil, err
	}
	l.Meta, l.ServiceID, l.DefaultRuleID = p.meta(c, "listener", l.Tags), s.ID, trellis.NewID("rule")
	have, err := store.Count[*trellis.Listener](tx, s.Key()+"/")
	if err != nil {
		return nil, err
	}
	if err := claim(tx, "listenername/"+s.Key()+"/"+l.Name, l.Key(), "LISTENER", "A listener with the name %s already exists in service %s.", l.Name, s.ID); err != nil {
		return nil, err
	}
	if err := claim(tx, "listenerport/"+s.Key()+"/"+strconv.Itoa(l.Port), l.Key(), "LISTENER", "A listener with the port %d already exists in service %s.", l.Port, s.ID); err != nil {
		return nil, err
	}
	if err := p.room(tx, s.Account, quota.ListenersPerService, have, "LISTENER"); err != nil {
		return nil, err
	}
	if err := p.checkAction(tx, c, &l, &l.DefaultAction); err != nil {
		return nil, err
	}
	if err := p.useTargetGroups(tx, &l, l.Key(), trellis.Action{}, l.DefaultAction); err != nil {
		return nil, err
	}
	tx.Put(&l)
	return &l, nil
}

// GetListener returns a listener.
func (p *Plane) GetListener(ctx context.Context, c *authpolicy.Caller, service, listener string) (*trellis.Listener, error) {
	var l *trellis.Listener
	err := p.read(ctx, func(tx *store.Tx) (err error) {
		_, l, err = p.listenerOf(tx, c, service, listener, "vpc-lattice:GetListener", nil)
		return err
	})
	return l, err
}

// UpdateListener changes the default action: all that can change.
func (p *Plane) UpdateListener(ctx context.Context, c *authpolicy.Caller, service, listener string, a trellis.Action) (*trellis.Listener, trellis.Revision, error) {
	var l *trellis.Listener
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		var s *trellis.Service
		if s, l, err = p.listenerOf(tx, c, service, listener, "vpc-lattice:UpdateListener", p.targetGroupKeys(c, &a)); err != nil {
			return err
		}
		return p.setDefault(tx, c, s, l, a)
	})
	return l, rev, err
}

// setDefault changes the default action of a listener.
func (p *Plane) setDefault(tx *store.Tx, c *authpolicy.Caller, s *trellis.Service, l *trellis.Listener, a trellis.Action) error {
	if err := p.ready("SERVICE", s.ID, s.Status); err != nil {
		return err
	}
	if err := p.checkAction(tx, c, l, &a); err != nil {
		return err
	}
	if err := p.useTargetGroups(tx, l, l.Key(), l.DefaultAction, a); err != nil {
		return err
	}
	l.DefaultAction, l.UpdatedAt = a, p.now()
	tx.Put(l)
	return nil
}

// DeleteListener removes a listener with its rules. Rules go first, in batches; until the last batch the
// listener still answers, with fewer and fewer rules.
func (p *Plane) DeleteListener(ctx context.Context, c *authpolicy.Caller, service, listener string) (trellis.Revision, error) {
	for {
		again := false
		rev, err := p.commit(ctx, func(tx *store.Tx) error {
			s, l, err := p.listenerOf(tx, c, service, listener, "vpc-lattice:DeleteListener", nil)
			if err != nil {
				return err
			}
			if s.Status == trellis.StatusDeleteInProgress {
				return badStatus("SERVICE", s.ID, s.Status)
			}
			if again, err = dropRules(tx, l); again || err != nil {
				return err
			}
			dropListener(tx, l)
			return nil
		})
		if err != nil || !again {
			return rev, err
		}
	}
}

// dropListener removes a listener that has no rules any more, with what it holds.
func dropListener(tx *store.Tx, l *trellis.Listener) {
	service := l.Account + "/" + l.ServiceID
	for _, w := range l.DefaultAction.Forward {
		tx.Unmark(targetGroupUse(l.Account+"/"+w.TargetGroupID), l.Key())
		tx.Unmark(serviceTargetGroups(service), w.TargetGroupID+"/"+l.ID)
	}
	tx.Release("listenername/" + service + "/" + l.Name)
	tx.Release("listenerport/" + service + "/" + strconv.Itoa(l.Port))
	tx.Delete(l)
}

// ListListeners lists the listeners of a service, by id.
func (p *Plane) ListListeners(ctx context.Context, c *authpolicy.Caller, service string, pg Page) ([]*trellis.Listener, string, error) {
	var list []*trellis.Listener
	var next string
	err := p.read(ctx, func(tx *store.Tx) error {
		s, err := p.serviceOf(tx, c, service, "vpc-lattice:ListListeners", nil, func(s trellis.Ref) string { return "service/" + s.ID })
		if err != nil {
			return err
		}
		list, err = store.List[*trellis.Listener](tx, s.Key()+"/")
		list, next = paginate(list, func(l *trellis.Listener) string { return l.ID }, pg)
		return err
	})
	return list, next, err
}
