package loadbalancer

import (
	"context"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// limits are the quotas of an account (user guides of both types, quotas).
type limits struct {
	loadBalancers int // of both types
	targetGroups  int
	listeners     int // of a load balancer
	rules         int // of a listener, without its default
	targets       int // of a target group
	certificates  int // of a listener, besides its default
}

// limitsFor are AWS's defaults when strict, and else numbers that only a runaway program meets.
func limitsFor(strict bool) limits {
	if strict {
		return limits{loadBalancers: 50, targetGroups: 3000, listeners: 50, rules: 100, targets: 1000, certificates: 25}
	}
	return limits{loadBalancers: 5000, targetGroups: 10000, listeners: 200, rules: 1000, targets: 5000, certificates: 200}
}

// Limit is a quota by the name that DescribeAccountLimits has for it.
type Limit struct{ Name, Max string }

// Limits returns the quotas of the caller's account.
func (l *LoadBalancers) Limits(ctx context.Context, c *authpolicy.Caller) ([]Limit, error) {
	err := l.Read(ctx, c, service+"DescribeAccountLimits", "*", nil, func(*store.Tx) error { return nil })
	if err != nil {
		return nil, err
	}
	n := l.limits
	var all []Limit
	for _, e := range []struct {
		name string
		max  int
	}{
		{"application-load-balancers", n.loadBalancers}, {"condition-values-per-alb-rule", maxConditionValues}, {"condition-wildcards-per-alb-rule", maxConditionValues},
		{"listeners-per-application-load-balancer", n.listeners}, {"listeners-per-network-load-balancer", n.listeners}, {"network-load-balancers", n.loadBalancers},
		{"rules-per-application-load-balancer", n.rules}, {"target-groups", n.targetGroups}, {"target-groups-per-action-on-application-load-balancer", 5},
		{"targets-per-application-load-balancer", n.targets}, {"targets-per-network-load-balancer", n.targets},
	} {
		all = append(all, Limit{e.name, strconv.Itoa(e.max)})
	}
	return all, nil
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
