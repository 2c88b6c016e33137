package quota_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/bucket"
	"github.com/trellis-project/trellis/companion/deliverystream"
	"github.com/trellis-project/trellis/companion/function"
	"github.com/trellis-project/trellis/companion/hostedzone"
	"github.com/trellis-project/trellis/companion/key"
	"github.com/trellis-project/trellis/companion/loadbalancer"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/store"
)

// region is that of the tests.
const region = "eu-west-1"

// strict are the options of companions in strict mode.
func strict() companion.Options {
	return companion.Options{Store: shared, Region: region, Strict: true}
}

// put writes nouns as they are.
func put(t *testing.T, nouns ...trellis.Noun) {
	t.Helper()
	_, err := shared.Commit(t.Context(), func(tx *store.Tx) error {
		for _, n := range nouns {
			tx.Put(n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// rooms is a quota with how one more of what it limits is made. The limits that make meets are the ones that were handed to
// whoever prepared it.
type rooms struct {
	service, code string
	value         int // AWS's
	id            quota.ID
	exceeded      string // the error's code
	fixed         bool   // not adjustable
	prepare       func(t *testing.T, c *authpolicy.Caller, l quota.Limits) (make func(n int) error)
}

// balancers prepares a VPC with two subnets, a target group of addresses, an Application and a Network Load Balancer, each
// with a listener.
func balancers(t *testing.T, c *authpolicy.Caller, limits quota.Limits) (l *loadbalancer.LoadBalancers, application, network, listener string) {
	t.Helper()
	meta := func(id string) trellis.Meta { return trellis.Meta{Account: c.Principal.Account, ID: id} }
	put(t, &trellis.VPC{Meta: meta("vpc-1"), CIDR: netip.MustParsePrefix("10.0.0.0/16")}, &trellis.SecurityGroup{Meta: meta("sg-1"), VPCID: "vpc-1", Name: "default"},
		&trellis.Subnet{Meta: meta("subnet-a"), VPCID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.1.0/24"), AvailabilityZone: region + "a"},
		&trellis.Subnet{Meta: meta("subnet-b"), VPCID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.2.0/24"), AvailabilityZone: region + "b"})
	l = loadbalancer.New(loadbalancer.Options{Options: strict(), Interfaces: controlplane.NewInterfaces})
	a, _, err := l.CreateLoadBalancer(t.Context(), c, balancer("application", 0))
	if err != nil {
		t.Fatal(err)
	}
	n, _, err := l.CreateLoadBalancer(t.Context(), c, balancer("network", 0))
	if err != nil {
		t.Fatal(err)
	}
	http, _, err := l.CreateListener(t.Context(), c, a.ARN(region), loadbalancer.ListenerSpec{Port: 80, Protocol: "HTTP", Actions: answer})
	if err != nil {
		t.Fatal(err)
	}
	l.Quotas = limits
	return l, a.ARN(region), n.ARN(region), http.ARN(region)
}

// answer is an action that needs no target group.
var answer = []trellis.LoadBalancerAction{{Type: "fixed-response", FixedResponse: &trellis.LoadBalancerFixedResponse{StatusCode: "404"}}}

// balancer is the nth load balancer of a type.
func balancer(typ string, n int) loadbalancer.Spec {
	return loadbalancer.Spec{Name: fmt.Sprint(typ, n), Type: typ, Scheme: "internal", Places: []loadbalancer.Place{{SubnetID: "subnet-a"}, {SubnetID: "subnet-b"}}}
}

// group makes the nth target group, of a type and protocol.
func group(t *testing.T, l *loadbalancer.LoadBalancers, c *authpolicy.Caller, protocol string, n int) (string, error) {
	g, _, err := l.CreateTargetGroup(t.Context(), c, trellis.LoadBalancerTargetGroup{Name: fmt.Sprint("group", n), TargetType: "ip", Protocol: protocol, Port: 80, VPCID: "vpc-1"}, loadbalancer.CheckSpec{})
	if err != nil {
		return "", err
	}
	return g.ARN(region), nil
}

// certificates is how a listener of HTTPS or TLS gets its nth certificate besides the default, at one load balancer, by two
// listeners in turn.
func certificates(t *testing.T, l *loadbalancer.LoadBalancers, c *authpolicy.Caller, balancer, protocol string, actions []trellis.LoadBalancerAction) func(n int) error {
	arn := func(n int) string {
		put(t, &trellis.Certificate{Meta: trellis.Meta{Account: c.Principal.Account, ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n)}, Status: trellis.CertificateReady, NotAfter: time.Now().Add(time.Hour)})
		return trellis.CertificateARN(region, c.Principal.Account, fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
	}
	var listeners []string
	for i := range 2 {
		n, _, err := l.CreateListener(t.Context(), c, balancer, loadbalancer.ListenerSpec{Port: 443 + i, Protocol: protocol, Actions: actions, CertificateARNs: []string{arn(0)}})
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, n.ARN(region))
	}
	return func(n int) error {
		_, err := l.AddCertificates(t.Context(), c, listeners[n%2], []string{arn(n + 1)})
		return err
	}
}

// functions prepares a companion with a role for functions, and how a function of a name is made.
func functions(t *testing.T, c *authpolicy.Caller, limits quota.Limits) (*function.Functions, func(name string) error) {
	t.Helper()
	account := c.Principal.Account
	put(t, &trellis.Role{Meta: trellis.Meta{Account: account, ID: "fn"}, Name: "fn", Path: "/",
		TrustPolicy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}`})
	f := function.New(function.Options{Options: strict(), CodeDir: t.TempDir()})
	f.Quotas = limits
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	w, err := z.Create("index.py")
	if err == nil {
		_, err = w.Write([]byte("def handler(e, c): pass"))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return f, func(name string) error {
		_, _, err := f.CreateFunction(t.Context(), c, name, function.Settings{Role: new(trellis.IAMARN(account, "role/fn")), Runtime: new("python3.12"), Handler: new("index.handler")},
			"", "", function.Source{Zip: code.Bytes()}, nil, false)
		return err
	}
}

// companions are the quotas of companions.
var companions = []rooms{
	{"elasticloadbalancing", "L-53DA6B97", 50, quota.ApplicationLoadBalancers, "TooManyLoadBalancers", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		l, _, _, _ := balancers(t, c, limits)
		return func(n int) error {
			_, _, err := l.CreateLoadBalancer(t.Context(), c, balancer("application", n)) // the first is there
			return err
		}
	}},
	{"elasticloadbalancing", "L-69A177A2", 50, quota.NetworkLoadBalancers, "TooManyLoadBalancers", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		l, _, _, _ := balancers(t, c, limits)
		return func(n int) error {
			_, _, err := l.CreateLoadBalancer(t.Context(), c, balancer("network", n))
			return err
		}
	}},
	{"elasticloadbalancing", "L-B22855CB", 3000, quota.LoadBalancerTargetGroups, "TooManyTargetGroups", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		l, _, _, _ := balancers(t, c, limits)
		return func(n int) error {
			_, err := group(t, l, c, "HTTP", n)
			return err
		}
	}},
	{"elasticloadbalancing", "L-B6DF7632", 50, quota.ListenersPerApplicationLoadBalancer, "TooManyListeners", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		l, application, _, listener := balancers(t, c, limits)
		if _, err := l.DeleteListener(t.Context(), c, listener); err != nil {
			t.Fatal(err)
		}
		return func(n int) error {
			_, _, err := l.CreateListener(t.Context(), c, application, loadbalancer.ListenerSpec{Port: 1000 + n, Protocol: "HTTP", Actions: answer})
			return err
		}
	}},
	{"elasticloadbalancing", "L-57A373D6", 50, quota.ListenersPerNetworkLoadBalancer, "TooManyListeners", true, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		l, _, network, _ := balancers(t, c, limits)
		return func(n int) error {
			_, _, err := l.CreateListener(t.Context(), c, network, loadbalancer.ListenerSpec{Port: 1000 + n, Protocol: "TCP", Actions: forward(t, l, c, "TCP", n)})
			return err
		}
	}},
	{"elasticloadbalancing", "L-7EED9B64", 100, quota.RulesPerLoadBalancer, "TooManyRules", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		l, application, _, listener := balancers(t, c, limits)
		other, _, err := l.CreateListener(t.Context(), c, application, loadbalancer.ListenerSpec{Port: 81, Protocol: "HTTP", Actions: answer})
		if err != nil {
			t.Fatal(err)
		}
		return func(n int) error { // by two listeners in turn: the rules of a load balancer count
			_, _, err := l.CreateRule(t.Context(), c, []string{listener, other.ARN(region)}[n%2], loadbalancer.RuleSpec{Priority: n + 1, Actions: answer,
				Conditions: []trellis.LoadBalancerCondition{{Field: "path-pattern", Values: []string{"/a"}}}})
			return err
		}
	}},
	{"elasticloadbalancing", "L-9365A611", 25, quota.CertificatesPerApplicationLoadBalancer, "TooManyCertificates", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		l, application, _, _ := balancers(t, c, limits)
		return certificates(t, l, c, application, "HTTPS", answer)
	}},
	{"elasticloadbalancing", "L-52964454", 25, quota.CertificatesPerNetworkLoadBalancer, "TooManyCertificates", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		l, _, network, _ := balancers(t, c, limits)
		return certificates(t, l, c, network, "TLS", forward(t, l, c, "TCP", 0))
	}},
	{"elasticloadbalancing", "L-A0D0B863", 1000, quota.TargetsPerLoadBalancerTargetGroup, "TooManyTargets", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		l, _, _, _ := balancers(t, c, limits)
		arn, err := group(t, l, c, "HTTP", 0)
		if err != nil {
			t.Fatal(err)
		}
		return func(n int) error {
			_, err := l.RegisterTargets(t.Context(), c, arn, []loadbalancer.TargetID{{ID: fmt.Sprint("10.0.1.", 100+n)}})
			return err
		}
	}},
	{"route53", "L-4EA4796A", 500, quota.HostedZones, "TooManyHostedZones", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		z := hostedzone.New(strict())
		z.Quotas = limits
		return func(n int) error {
			_, _, _, err := z.Create(t.Context(), c, hostedzone.Input{Name: "example.com", CallerReference: fmt.Sprint(n)})
			return err
		}
	}},
	{"route53", "L-E209CC9F", 10000, quota.RecordsPerZone, "InvalidChangeBatch", true, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		z := hostedzone.New(strict())
		limits.Others[quota.RecordsPerZone] += 2 // NS and SOA
		z.Quotas = limits
		zone, _, _, err := z.Create(t.Context(), c, hostedzone.Input{Name: "example.com", CallerReference: "records"})
		if err != nil {
			t.Fatal(err)
		}
		return func(n int) error {
			_, _, err := z.ChangeSets(t.Context(), c, zone.ID, []hostedzone.SetChange{{Action: "CREATE", Set: trellis.RecordSet{Name: fmt.Sprintf("a%d.example.com", n), Type: "A", TTL: 60, Values: []string{"10.0.0.1"}}}}, "")
			return err
		}
	}},
	{"s3", "L-DC2B2D3D", 10000, quota.Buckets, "TooManyBuckets", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		b := bucket.New(strict(), t.TempDir())
		b.Quotas = limits
		return func(n int) error {
			_, err := b.Create(t.Context(), c, trellis.Bucket{Meta: trellis.Meta{ID: fmt.Sprint("quota-", n)}}, region)
			return err
		}
	}},
	{"kms", "L-C2F1777E", 100000, quota.Keys, "LimitExceededException", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		k := key.New(strict())
		k.Quotas = limits
		return func(int) error {
			_, _, err := k.Create(t.Context(), c, key.NewKey{})
			return err
		}
	}},
	{"kms", "L-340F62FB", 50, quota.AliasesPerKey, "LimitExceededException", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		k := key.New(strict())
		made, _, err := k.Create(t.Context(), c, key.NewKey{})
		if err != nil {
			t.Fatal(err)
		}
		k.Quotas = limits
		return func(n int) error {
			_, err := k.PutAlias(t.Context(), c, fmt.Sprint("alias/a", n), made.ID, false)
			return err
		}
	}},
	{"kms", "L-D594A657", 50000, quota.GrantsPerKey, "LimitExceededException", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		k := key.New(strict())
		made, _, err := k.Create(t.Context(), c, key.NewKey{})
		if err != nil {
			t.Fatal(err)
		}
		k.Quotas = limits
		return func(int) error {
			_, _, _, err := k.CreateGrant(t.Context(), c, key.NewGrant{KeyID: made.ID, Grantee: trellis.GrantPrincipal{ARN: c.Principal.ARN}, Terms: trellis.GrantTerms{Operations: []string{"Decrypt"}}})
			return err
		}
	}},
	{"firehose", "L-14BB0BE7", 5000, quota.DeliveryStreams, "LimitExceededException", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		s := deliverystream.New(strict())
		s.Quotas = limits
		return func(n int) error {
			_, _, err := s.Create(t.Context(), c, fmt.Sprint("stream", n), deliverystream.Destination{Kind: "HttpEndpoint", Settings: json.RawMessage(`{}`)}, deliverystream.Encryption{}, nil)
			return err
		}
	}},
	{"lambda", "L-2ACBD22F", 75, quota.FunctionStorage, "CodeStorageExceededException", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		_, create := functions(t, c, limits)
		limits.Others[quota.FunctionStorage] = 0 // no zip of a test has a gigabyte
		return func(n int) error {
			if n < 2 {
				return nil
			}
			return create("f")
		}
	}},
	{"lambda", "L-B99A9384", 1000, quota.ConcurrentExecutions, "InvalidParameterValueException", false, func(t *testing.T, c *authpolicy.Caller, limits quota.Limits) func(int) error {
		f, create := functions(t, c, limits)
		limits.Others[quota.ConcurrentExecutions] = 102 // of which 100 stay for functions that reserve none
		return func(n int) error {
			name := fmt.Sprint("f", n)
			if err := create(name); code(err) != "" && code(err) != "ResourceConflictException" {
				return err
			}
			_, err := f.Reserve(t.Context(), c, name, new(1))
			return err
		}
	}},
}

// forward is an action that forwards to a new target group.
func forward(t *testing.T, l *loadbalancer.LoadBalancers, c *authpolicy.Caller, protocol string, n int) []trellis.LoadBalancerAction {
	t.Helper()
	arn, err := group(t, l, c, protocol, n)
	if err != nil {
		t.Fatal(err)
	}
	return []trellis.LoadBalancerAction{{Type: "forward", Forward: &trellis.LoadBalancerForward{TargetGroups: []trellis.LoadBalancerWeight{{TargetGroupARN: arn, Weight: 1}}}}}
}

// TestCompanions makes two of what each quota of a companion limits, where AWS's number is set to two: one more is refused,
// with the error of its service, until the account has asked Service Quotas for more. What is fixed stays refused.
func TestCompanions(t *testing.T) {
	q := quota.New(strict())
	for i, r := range companions {
		t.Run(r.service+" "+quota.Name(r.id), func(t *testing.T) {
			c := admin(t, fmt.Sprintf("5100000000%02d", i))
			limits := quota.Limits{Strict: true}
			if n := limits.Default(r.id); n != r.value || (quota.Limits{}).Default(r.id) < n {
				t.Errorf("AWS's quota is %d, and %d in extended mode; want %d, and no less", n, (quota.Limits{}).Default(r.id), r.value)
			}
			limits.Others = map[quota.ID]int{r.id: 2}
			more := r.prepare(t, c, limits)
			for n := range 2 {
				if err := more(n); err != nil {
					t.Fatalf("number %d: %v", n+1, err)
				}
			}
			if err := more(2); code(err) != r.exceeded {
				t.Errorf("one more than there may be: %v, want %s", err, r.exceeded)
			}
			_, _, err := q.Request(t.Context(), c, r.service, r.code, float64(r.value+1))
			if r.fixed {
				if code(err) != "IllegalArgumentException" {
					t.Errorf("a fixed quota is raised: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := more(2); err != nil {
				t.Errorf("after the quota was raised: %v", err)
			}
		})
	}
}

// TestLimitsOfServices reads what services themselves tell of quotas, before and after one was raised.
func TestLimitsOfServices(t *testing.T) {
	c := admin(t, "520000000001")
	q := quota.New(strict())
	l := loadbalancer.New(loadbalancer.Options{Options: strict()})
	f := function.New(function.Options{Options: strict(), CodeDir: t.TempDir()})
	hold := func(balancers string, concurrency int, code int64) {
		t.Helper()
		all, err := l.Limits(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		told := map[string]string{}
		for _, limit := range all {
			told[limit.Name] = limit.Max
		}
		if told["application-load-balancers"] != balancers || told["network-load-balancers"] != "50" || told["target-groups"] != "3000" {
			t.Errorf("Elastic Load Balancing tells %v, want %s application load balancers", told, balancers)
		}
		u, err := f.Account(t.Context(), c)
		if err != nil || u.Concurrency != concurrency || u.Unreserved != concurrency || u.CodeLimit != code {
			t.Errorf("Lambda tells %+v, %v", u, err)
		}
	}
	hold("50", 1000, 80530636800)
	for quotaCode, service := range map[string]string{"L-53DA6B97": "elasticloadbalancing", "L-B99A9384": "lambda", "L-2ACBD22F": "lambda"} {
		if _, _, err := q.Request(t.Context(), c, service, quotaCode, 2048); err != nil {
			t.Fatal(err)
		}
	}
	hold("2048", 2048, 2048<<30)
}
