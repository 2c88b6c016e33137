package routing

import (
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// Service is a service with its listeners.
type Service struct {
	listeners []Listener  // by port
	first     [1]Listener // where the first of them is: most services have one. Both stand where a request looks first

	ID, ARN, DomainName string
	CertificateARN      string // of the custom domain name, empty when there is none
	Layer               authpolicy.Layer
	IdleTimeout         time.Duration
	Tags                map[string]string
	ClientCertificates  *ClientCertificates // nil when it asks for none

	policy policyText       // of the Layer
	noun   *trellis.Service // nouns never change, so equal pointers are equal values
}

// ref is what other nouns call the service by.
func (s *Service) ref() trellis.Ref { return trellis.Ref{Account: s.noun.Account, ID: s.noun.ID} }

// Account is who owns the service.
func (s *Service) Account() string { return s.noun.Account }

// Listener finds the listener of a port, nil when there is none.
func (s *Service) Listener(port int) *Listener {
	for i := range s.listeners {
		if s.listeners[i].Port == port {
			return &s.listeners[i]
		}
	}
	return nil
}

// Custom tells whether a name, as a Host field or SNI has it, is the custom domain name of the service.
func (s *Service) Custom(name string) bool {
	name = strings.TrimSuffix(name, ".")
	return s.noun.CustomDomainName != "" && strings.EqualFold(name, s.noun.CustomDomainName)
}

// Listener is a listener with its rules.
type Listener struct {
	Port     int
	rules    []Rule // by priority, the default rule last
	index    index  // of the rules
	ID       string
	Protocol trellis.Protocol
}

// Rule is a rule, or the default action of a listener. It is small: a node may hold millions. All that its noun says,
// matching too, is read in the noun.
type Rule struct {
	Action Action
}

// ID is the rule's id, of the default rule too.
func (r *Rule) ID() string {
	if r.Default() {
		return r.Action.turns.listener.DefaultRuleID
	}
	return r.Action.rule.ID
}

// Priority is 0 for the default rule.
func (r *Rule) Priority() int {
	if r.Default() {
		return 0
	}
	return r.Action.rule.Priority
}

// Default tells that it is the default rule: it matches everything.
func (r *Rule) Default() bool { return r.Action.rule == nil }

// match is what the rule matches. The default rule has none.
func (r *Rule) match() *trellis.HTTPMatch { return &r.Action.rule.Match }
