package loadbalancer

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// room answers an error of a code when an account has as many of something as it may, have. what names them in its message.
func (l *LoadBalancers) room(tx *store.Tx, account string, id quota.ID, have int, code, what string) error {
	limit, full, err := l.Quotas.Reached(tx, account, id, have)
	if err == nil && full {
		return bad(code, "The maximum number of %s has been reached: %d", what, limit)
	}
	return err
}

// limited are the quotas of each type of load balancers.
var limited = map[string]struct{ balancers, listeners, certificates quota.ID }{
	trellis.LoadBalancerApplication: {quota.ApplicationLoadBalancers, quota.ListenersPerApplicationLoadBalancer, quota.CertificatesPerApplicationLoadBalancer},
	trellis.LoadBalancerNetwork:     {quota.NetworkLoadBalancers, quota.ListenersPerNetworkLoadBalancer, quota.CertificatesPerNetworkLoadBalancer},
}

// Limit is a limit by the name that DescribeAccountLimits has for it.
type Limit struct{ Name, Max string }

// Limits returns the limits of the caller's account that hold here.
func (l *LoadBalancers) Limits(ctx context.Context, c *authpolicy.Caller) (all []Limit, err error) {
	err = l.Read(ctx, c, service+"DescribeAccountLimits", "*", nil, func(tx *store.Tx) error {
		all = []Limit{{"condition-values-per-alb-rule", strconv.Itoa(maxConditionValues)}, {"condition-wildcards-per-alb-rule", strconv.Itoa(maxConditionValues)},
			{"target-groups-per-action-on-application-load-balancer", strconv.Itoa(maxForwards)}}
		for name, id := range map[string]quota.ID{"application-load-balancers": quota.ApplicationLoadBalancers, "network-load-balancers": quota.NetworkLoadBalancers,
			"listeners-per-application-load-balancer": quota.ListenersPerApplicationLoadBalancer, "listeners-per-network-load-balancer": quota.ListenersPerNetworkLoadBalancer,
			"rules-per-application-load-balancer": quota.RulesPerLoadBalancer, "target-groups": quota.LoadBalancerTargetGroups} {
			n, err := l.Quotas.Of(tx, c.Principal.Account, id)
			if err != nil {
				return err
			}
			all = append(all, Limit{name, strconv.Itoa(n)})
		}
		slices.SortFunc(all, func(a, b Limit) int { return strings.Compare(a.Name, b.Name) })
		return nil
	})
	return all, err
}

// SSLPolicy is a security policy: which protocols and ciphers a listener of HTTPS or TLS takes.
type SSLPolicy struct {
	Name      string
	Protocols []string
	Ciphers   []string
}

// DefaultSSLPolicy is the policy of a listener when a client names none (CreateListener).
const DefaultSSLPolicy = "ELBSecurityPolicy-2016-08"

// The ciphers of policies, in families.
var (
	ciphers13  = []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
	ciphersGCM = []string{"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"}
	ciphersCBC = []string{"ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384"}
	ciphersSHA = []string{"ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA"}
	ciphersRSA = []string{"AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256"}
	ciphersOld = []string{"AES128-SHA", "AES256-SHA"}
)

// SSLPolicies are the policies that listeners can name (Application Load Balancers user guide, security policies).
var SSLPolicies = []SSLPolicy{
	{DefaultSSLPolicy, tls("1", "1.1", "1.2"), slices.Concat(ciphersGCM, ciphersCBC, ciphersSHA, ciphersRSA, ciphersOld)},
	{"ELBSecurityPolicy-TLS13-1-2-2021-06", tls("1.2", "1.3"), slices.Concat(ciphers13, ciphersGCM, ciphersCBC)},
	{"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", tls("1.2", "1.3"), slices.Concat(ciphers13, ciphersGCM)},
	{"ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", tls("1.2", "1.3"), slices.Concat(ciphers13, ciphersGCM, ciphersCBC, ciphersRSA)},
	{"ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", tls("1.2", "1.3"), slices.Concat(ciphers13, ciphersGCM, ciphersCBC, ciphersSHA, ciphersRSA, ciphersOld)},
	{"ELBSecurityPolicy-TLS13-1-1-2021-06", tls("1.1", "1.2", "1.3"), slices.Concat(ciphers13, ciphersGCM, ciphersCBC, ciphersSHA, ciphersRSA, ciphersOld)},
	{"ELBSecurityPolicy-TLS13-1-0-2021-06", tls("1", "1.1", "1.2", "1.3"), slices.Concat(ciphers13, ciphersGCM, ciphersCBC, ciphersSHA, ciphersRSA, ciphersOld)},
	{"ELBSecurityPolicy-TLS13-1-3-2021-06", tls("1.3"), ciphers13},
	{"ELBSecurityPolicy-TLS-1-2-2017-01", tls("1.2"), slices.Concat(ciphersGCM, ciphersCBC, ciphersRSA)},
	{"ELBSecurityPolicy-TLS-1-2-Ext-2018-06", tls("1.2"), slices.Concat(ciphersGCM, ciphersCBC, ciphersSHA, ciphersRSA, ciphersOld)},
	{"ELBSecurityPolicy-TLS-1-1-2017-01", tls("1.1", "1.2"), slices.Concat(ciphersGCM, ciphersCBC, ciphersSHA, ciphersRSA, ciphersOld)},
	{"ELBSecurityPolicy-FS-2018-06", tls("1", "1.1", "1.2"), slices.Concat(ciphersGCM, ciphersCBC, ciphersSHA)},
	{"ELBSecurityPolicy-FS-1-1-2019-08", tls("1.1", "1.2"), slices.Concat(ciphersGCM, ciphersCBC, ciphersSHA)},
	{"ELBSecurityPolicy-FS-1-2-2019-08", tls("1.2"), slices.Concat(ciphersGCM, ciphersCBC, ciphersSHA)},
	{"ELBSecurityPolicy-FS-1-2-Res-2019-08", tls("1.2"), slices.Concat(ciphersGCM, ciphersCBC)},
	{"ELBSecurityPolicy-FS-1-2-Res-2020-10", tls("1.2"), ciphersGCM},
}

// tls are versions of TLS as policies name them.
func tls(versions ...string) []string {
	for i, v := range versions {
		versions[i] = "TLSv" + v
	}
	return versions
}

// Policies returns the security policies of some names, all without any.
func (l *LoadBalancers) Policies(ctx context.Context, c *authpolicy.Caller, names []string) (found []SSLPolicy, err error) {
	err = l.Read(ctx, c, service+"DescribeSSLPolicies", "*", nil, func(*store.Tx) error {
		found = nil
		for _, p := range SSLPolicies {
			if len(names) == 0 || slices.Contains(names, p.Name) {
				found = append(found, p)
			}
		}
		for _, name := range names {
			if !slices.ContainsFunc(found, func(p SSLPolicy) bool { return p.Name == name }) {
				return bad("SSLPolicyNotFound", "SSL policy '%s' not found", name)
			}
		}
		return nil
	})
	return found, err
}
