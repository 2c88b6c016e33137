package routing

import (
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// Service is a service with its listeners.
type Service struct {
	ID, ARN, Name, Account       string
	DomainName, CustomDomainName string
	Layer                        authpolicy.Layer
	IdleTimeout                  time.Duration
	Tags                         map[string]string
	listeners                    []*Listener // HTTP ones, by port

	policy policyText     // of the Layer
	from   []trellis.Noun // what the service was made of; nouns never change, so equal pointers are equal values
}

// Listener finds the HTTP listener of a port, nil when there is none.
func (s *Service) Listener(port int) *Listener {
	for _, l := range s.listeners {
		if l.Port == port {
			return l
		}
	}
	return nil
}

// Listener is a listener with its rules.
type Listener struct {
	ID, ARN, Name string
	Protocol      trellis.Protocol
	Port          int
	rules         []Rule // by priority, the default rule last
}

// Rule is a rule, or the default action of a listener.
type Rule struct {
	ID, ARN, Name string
	Priority      int  // 0 for the default rule
	Default       bool // it matches everything
	Action        Action
	match         match
}
