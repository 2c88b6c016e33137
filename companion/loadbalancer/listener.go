package loadbalancer

import (
	"context"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// ListenerSpec is what CreateListener and ModifyListener are given. When one is changed, empty members stay as they were.
type ListenerSpec struct {
	Port            int
	Protocol        string
	CertificateARNs []string // the default certificate alone
	SSLPolicy       string
	ALPNPolicy      []string
	MutualTLS       string // mode
	TrustStore      string // ARN
	Actions         []trellis.LoadBalancerAction
	Tags            map[string]string
}

// CreateListener gives a load balancer a listener.
func (l *LoadBalancers) CreateListener(ctx context.Context, c *authpolicy.Caller, balancer string, in ListenerSpec) (n *trellis.LoadBalancerListener, rev trellis.Revision, err error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, 0, err
	}
	id, rule := trellis.RandomHex(16), trellis.RandomHex(16)
	rev, err = l.Store.Commit(ctx, func(tx *store.Tx) error {
		b, err := named[*trellis.LoadBalancer](l, tx, c, "CreateListener", sortLoadBalancer, balancer, in.Tags, map[string][]string{"elasticloadbalancing:listenerprotocol": {in.Protocol}})
		if err != nil {
			return err
		}
		if len(in.Tags) > 0 {
			if err := authorize(c, "AddTags", l.arnOf(c, sortListener+"/"+b.ID+"/*"), in.Tags, nil, map[string][]string{"elasticloadbalancing:createaction": {"CreateListener"}}); err != nil {
				return err
			}
		}
		all, err := store.List[*trellis.LoadBalancerListener](tx, b.Key()+"/")
		if err != nil {
			return err
		}
		if err := l.room(tx, b.Account, limited[b.Type].listeners, len(all), "TooManyListeners", "listeners"); err != nil {
			return err
		}
		n = &trellis.LoadBalancerListener{Meta: l.meta(c, b.ID+"/"+id, in.Tags), DefaultRule: rule, LoadBalancerName: b.Name}
		return l.settle(tx, c, b, n, in, all)
	})
	return n, rev, err
}

// settle writes into a listener what a request says, refuses what it can't have, and puts it. others are the listeners of
// its load balancer.
func (l *LoadBalancers) settle(tx *store.Tx, c *authpolicy.Caller, b *trellis.LoadBalancer, n *trellis.LoadBalancerListener, in ListenerSpec, others []*trellis.LoadBalancerListener) error {
	if in.Port != 0 {
		n.Port = in.Port
	}
	if in.Protocol != "" {
		n.Protocol = in.Protocol
	}
	if n.Port == 0 || n.Protocol == "" {
		return invalid("A listener port and protocol must be specified")
	}
	may := []string{protocolHTTP, protocolHTTPS}
	if b.Type == trellis.LoadBalancerNetwork {
		may = []string{protocolTCP, protocolTLS, protocolUDP, protocolTCPUDP}
	}
	if !slices.Contains(may, n.Protocol) {
		return bad("UnsupportedProtocol", "The protocol '%s' is not valid for %s load balancers", n.Protocol, b.Type)
	}
	for _, o := range others {
		if o.ID != n.ID && o.Port == n.Port {
			return bad("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", b.ARN(l.Region))
		}
	}
	if err := l.secure(tx, n, in); err != nil {
		return err
	}
	was := n.DefaultActions
	if in.Actions != nil {
		n.DefaultActions = in.Actions
	}
	if err := l.checkActions(tx, c, b, n.Protocol, n.DefaultActions); err != nil {
		return err
	}
	use(tx, n.Key(), was, n.DefaultActions)
	n.UpdatedAt = l.Time()
	tx.Put(n)
	return nil
}

// secure writes into a listener what a request says of TLS.
func (l *LoadBalancers) secure(tx *store.Tx, n *trellis.LoadBalancerListener, in ListenerSpec) error {
	if n.Protocol != protocolHTTPS && n.Protocol != protocolTLS {
		if len(in.CertificateARNs)+len(in.ALPNPolicy) > 0 || in.SSLPolicy != "" || in.MutualTLS != "" && in.MutualTLS != "off" {
			return bad("InvalidConfigurationRequest", "Certificates, security policies, ALPN policies and mutual authentication are for listeners of protocol HTTPS or TLS")
		}
		n.CertificateARNs, n.SSLPolicy, n.ALPNPolicy, n.MutualTLS = nil, "", nil, ""
		return nil
	}
	switch {
	case len(in.CertificateARNs) > 1:
		return bad("TooManyCertificates", "Only one certificate can be the default of a listener")
	case len(in.CertificateARNs) == 1:
		if err := l.checkCertificate(tx, n.Account, in.CertificateARNs[0]); err != nil {
			return err
		}
		n.CertificateARNs = append(slices.Clone(in.CertificateARNs), slices.DeleteFunc(slices.Clone(n.CertificateARNs[min(1, len(n.CertificateARNs)):]), func(arn string) bool { return arn == in.CertificateARNs[0] })...)
	case len(n.CertificateARNs) == 0:
		return bad("CertificateNotFound", "A certificate must be specified for %s listeners", n.Protocol)
	}
	if in.SSLPolicy != "" {
		n.SSLPolicy = in.SSLPolicy
	}
	if n.SSLPolicy == "" {
		n.SSLPolicy = DefaultSSLPolicy
	}
	if !slices.ContainsFunc(SSLPolicies, func(p SSLPolicy) bool { return p.Name == n.SSLPolicy }) {
		return bad("SSLPolicyNotFound", "SSL policy '%s' not found", n.SSLPolicy)
	}
	return l.negotiate(n, in)
}

// alpnPolicies are what listeners of protocol TLS can negotiate (Network Load Balancers user guide, ALPN policies).
var alpnPolicies = []string{"HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"}

// negotiate writes into a listener what a request says of ALPN and of clients' certificates.
func (l *LoadBalancers) negotiate(n *trellis.LoadBalancerListener, in ListenerSpec) error {
	if in.ALPNPolicy != nil {
		n.ALPNPolicy = in.ALPNPolicy
	}
	if len(n.ALPNPolicy) > 1 || len(n.ALPNPolicy) == 1 && (n.Protocol != protocolTLS || !slices.Contains(alpnPolicies, n.ALPNPolicy[0])) {
		return bad("ALPNPolicyNotFound", "The ALPN policy %v is not one of %v of a listener of protocol TLS", n.ALPNPolicy, alpnPolicies)
	}
	if n.Protocol != protocolHTTPS {
		n.MutualTLS = ""
		return nil
	}
	if in.MutualTLS != "" {
		n.MutualTLS = in.MutualTLS
	}
	switch n.MutualTLS {
	case "":
		n.MutualTLS = "off"
	case "off", "passthrough":
	case "verify":
		return bad("TrustStoreNotFound", "Trust store '%s' not found: Trellis has none", in.TrustStore)
	default:
		return invalid("Mutual authentication mode '%s' must be one of off, passthrough, verify", n.MutualTLS)
	}
	return nil
}

// checkCertificate refuses a certificate that is not one of the account's in ACM, ready for use.
func (l *LoadBalancers) checkCertificate(tx *store.Tx, account, arn string) error {
	missing := bad("CertificateNotFound", "Certificate '%s' not found", arn)
	region, ref, err := trellis.ParseCertificateARN(arn)
	if err != nil || region != l.Region || ref.Account != account {
		return missing
	}
	n, err := companion.Get[*trellis.Certificate](tx, ref.Key(), missing)
	if err != nil {
		return err
	}
	if n.StatusAt(l.Time()) != trellis.CertificateReady {
		return bad("UnsupportedCertificate", "The certificate '%s' must be issued and not expired", arn)
	}
	return nil
}

// Listeners returns listeners by ARN, or those of a load balancer.
func (l *LoadBalancers) Listeners(ctx context.Context, c *authpolicy.Caller, f Filter) (found []*trellis.LoadBalancerListener, err error) {
	if len(f.ARNs) == 0 && f.Of == "" {
		return nil, invalid("You must specify either listener ARNs or a load balancer ARN")
	}
	err = l.Read(ctx, c, service+"DescribeListeners", "*", nil, func(tx *store.Tx) error {
		prefix := c.Principal.Account + "/"
		if f.Of != "" {
			key, err := l.keyOf(c, sortLoadBalancer, f.Of)
			if err != nil {
				return err
			}
			if _, err := companion.Get[*trellis.LoadBalancer](tx, key, notFound(sortLoadBalancer, f.Of)); err != nil {
				return err
			}
			prefix = key + "/"
		}
		all, err := store.List[*trellis.LoadBalancerListener](tx, prefix)
		if err != nil {
			return err
		}
		found, err = choose(l, c, all, sortListener, f, func(n *trellis.LoadBalancerListener) string { return n.ID })
		return err
	})
	return found, err
}

// balancerOf reads the load balancer of a listener.
func balancerOf(tx *store.Tx, n *trellis.LoadBalancerListener) (*trellis.LoadBalancer, error) {
	return store.Get[*trellis.LoadBalancer](tx, n.Account+"/"+n.LoadBalancerID())
}

// changeListener changes one listener.
func (l *LoadBalancers) changeListener(ctx context.Context, c *authpolicy.Caller, action, arn string, fn func(*store.Tx, *trellis.LoadBalancerListener) error) (n *trellis.LoadBalancerListener, rev trellis.Revision, err error) {
	rev, err = l.Store.Commit(ctx, func(tx *store.Tx) error {
		if n, err = named[*trellis.LoadBalancerListener](l, tx, c, action, sortListener, arn, nil, nil); err != nil {
			return err
		}
		if err := fn(tx, n); err != nil {
			return err
		}
		n.UpdatedAt = l.Time()
		tx.Put(n)
		return nil
	})
	return n, rev, err
}

// ModifyListener changes what a request says of a listener.
func (l *LoadBalancers) ModifyListener(ctx context.Context, c *authpolicy.Caller, arn string, in ListenerSpec) (*trellis.LoadBalancerListener, trellis.Revision, error) {
	return l.changeListener(ctx, c, "ModifyListener", arn, func(tx *store.Tx, n *trellis.LoadBalancerListener) error {
		b, err := balancerOf(tx, n)
		if err != nil {
			return err
		}
		others, err := store.List[*trellis.LoadBalancerListener](tx, b.Key()+"/")
		if err != nil {
			return err
		}
		return l.settle(tx, c, b, n, in, others)
	})
}

// DeleteListener removes a listener with its rules.
func (l *LoadBalancers) DeleteListener(ctx context.Context, c *authpolicy.Caller, arn string) (trellis.Revision, error) {
	return l.Store.Commit(ctx, func(tx *store.Tx) error {
		n, err := named[*trellis.LoadBalancerListener](l, tx, c, "DeleteListener", sortListener, arn, nil, nil)
		if err != nil {
			return err
		}
		users, err := tx.Marked(targetUse(trellis.ARN{Partition: "aws", Service: "elasticloadbalancing", Region: l.Region, Account: n.Account, Resource: sortLoadBalancer + "/" + n.LoadBalancerID()}.String()))
		if err != nil {
			return err
		}
		for _, key := range users { // a target of type alb needs the listener of its port
			targets, err := store.List[*trellis.LoadBalancerTarget](tx, key+"/"+strconv.Itoa(n.Port)+"/")
			if err != nil {
				return err
			}
			if len(targets) > 0 {
				return bad("ResourceInUse", "Listener port '%d' is in use by target group '%s'", n.Port, key)
			}
		}
		return dropListener(tx, n)
	})
}

// dropListener removes a listener with its rules in a transaction.
func dropListener(tx *store.Tx, n *trellis.LoadBalancerListener) error {
	rules, err := store.List[*trellis.LoadBalancerRule](tx, n.Key()+"/")
	if err != nil {
		return err
	}
	for _, r := range rules {
		use(tx, r.Key(), r.Actions, nil)
		tx.Delete(r)
	}
	use(tx, n.Key(), n.DefaultActions, nil)
	tx.Delete(n)
	return nil
}

// AddCertificates gives a listener further certificates, which clients get by the name they ask for.
func (l *LoadBalancers) AddCertificates(ctx context.Context, c *authpolicy.Caller, arn string, certificates []string) (trellis.Revision, error) {
	_, rev, err := l.changeListener(ctx, c, "AddListenerCertificates", arn, func(tx *store.Tx, n *trellis.LoadBalancerListener) error {
		if len(n.CertificateARNs) == 0 {
			return bad("OperationNotPermitted", "Certificates can be added to listeners of protocol HTTPS or TLS")
		}
		for _, add := range certificates {
			if err := l.checkCertificate(tx, n.Account, add); err != nil {
				return err
			}
			if !slices.Contains(n.CertificateARNs, add) {
				n.CertificateARNs = append(n.CertificateARNs, add)
			}
		}
		b, err := balancerOf(tx, n)
		if err != nil {
			return err
		}
		others, err := store.List[*trellis.LoadBalancerListener](tx, b.Key()+"/")
		if err != nil {
			return err
		}
		have := len(n.CertificateARNs) - 1
		for _, o := range others {
			if o.ID != n.ID {
				have += max(len(o.CertificateARNs)-1, 0)
			}
		}
		return l.room(tx, n.Account, limited[b.Type].certificates, have-1, "TooManyCertificates", "certificates besides the default ones")
	})
	return rev, err
}

// RemoveCertificates takes certificates from a listener, but for its default.
func (l *LoadBalancers) RemoveCertificates(ctx context.Context, c *authpolicy.Caller, arn string, certificates []string) (trellis.Revision, error) {
	_, rev, err := l.changeListener(ctx, c, "RemoveListenerCertificates", arn, func(_ *store.Tx, n *trellis.LoadBalancerListener) error {
		for _, gone := range certificates {
			if len(n.CertificateARNs) > 0 && n.CertificateARNs[0] == gone {
				return bad("OperationNotPermitted", "Default certificate cannot be removed")
			}
			n.CertificateARNs = slices.DeleteFunc(n.CertificateARNs, func(arn string) bool { return arn == gone })
		}
		return nil
	})
	return rev, err
}

// Listener returns one listener for an operation that shows a part of it.
func (l *LoadBalancers) Listener(ctx context.Context, c *authpolicy.Caller, action, arn string) (n *trellis.LoadBalancerListener, err error) {
	err = l.Read(ctx, c, service+action, "*", nil, func(tx *store.Tx) error {
		key, err := l.keyOf(c, sortListener, arn)
		if err != nil {
			return err
		}
		n, err = companion.Get[*trellis.LoadBalancerListener](tx, key, notFound(sortListener, arn))
		return err
	})
	return n, err
}
