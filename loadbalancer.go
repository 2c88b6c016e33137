package trellis

import (
	"fmt"
	"strings"
	"time"
)

// The types of load balancers (Elastic Load Balancing v2 API, CreateLoadBalancer).
const (
	LoadBalancerApplication = "application"
	LoadBalancerNetwork     = "network"
)

// LoadBalancer is an Application or Network Load Balancer: addresses in subnets of a VPC, at which listeners take
// connections.
type LoadBalancer struct {
	Meta                                // ID is app/NAME/ and 16 hexadecimal digits, or net/…
	Name             string             `json:"name"` // unique in its account
	Type             string             `json:"type"` // LoadBalancerApplication or LoadBalancerNetwork
	Scheme           string             `json:"scheme"`
	IPAddressType    string             `json:"ipAddressType"` // ipv4, dualstack or dualstack-without-public-ipv4
	VPCID            string             `json:"vpcId"`
	Interfaces       []NetworkInterface `json:"interfaces"`       // one in each subnet
	Chosen           map[string]bool    `json:"chosen,omitempty"` // subnets in which a client chose the address
	SecurityGroupIDs []string           `json:"securityGroupIds,omitempty"`
	DNSName          string             `json:"dnsName"`
	PrivateLinkRules string             `json:"privateLinkRules,omitempty"` // on or off: whether inbound rules hold for AWS PrivateLink
	Attributes       map[string]string  `json:"attributes,omitempty"`       // what was set; the rest is AWS's default
}

// Kind is KindLoadBalancer.
func (*LoadBalancer) Kind() Kind { return KindLoadBalancer }

// ARN is arn:aws:elasticloadbalancing:region:account:loadbalancer/app/….
func (b *LoadBalancer) ARN(region string) string {
	return ARN{"aws", "elasticloadbalancing", region, b.Account, "loadbalancer/" + b.ID}.String()
}

// LoadBalancerListener is a port of a load balancer, with what is done with what comes there when no rule says otherwise.
type LoadBalancerListener struct {
	Meta                                  // ID is that of the load balancer, a slash and 16 hexadecimal digits
	Port             int                  `json:"port"` // unique in its load balancer
	Protocol         string               `json:"protocol"`
	CertificateARNs  []string             `json:"certificateArns,omitempty"` // the first is the default
	SSLPolicy        string               `json:"sslPolicy,omitempty"`
	ALPNPolicy       []string             `json:"alpnPolicy,omitempty"`
	MutualTLS        string               `json:"mutualTls,omitempty"` // of HTTPS: off or passthrough
	DefaultActions   []LoadBalancerAction `json:"defaultActions"`
	DefaultRule      string               `json:"defaultRule"` // last part of the id of the rule that the default actions are
	DefaultRuleTags  map[string]string    `json:"defaultRuleTags,omitempty"`
	Attributes       map[string]string    `json:"attributes,omitempty"` // what was set
	LoadBalancerName string               `json:"loadBalancerName"`
}

// Kind is KindLoadBalancerListener.
func (*LoadBalancerListener) Kind() Kind { return KindLoadBalancerListener }

// ARN is arn:aws:elasticloadbalancing:region:account:listener/app/….
func (l *LoadBalancerListener) ARN(region string) string {
	return ARN{"aws", "elasticloadbalancing", region, l.Account, "listener/" + l.ID}.String()
}

// LoadBalancerID is the id of the listener's load balancer.
func (l *LoadBalancerListener) LoadBalancerID() string {
	return l.ID[:strings.LastIndexByte(l.ID, '/')]
}

// Default is the rule that the listener's default actions are; its priority is 0.
func (l *LoadBalancerListener) Default() *LoadBalancerRule {
	m := l.Meta
	m.ID, m.Tags = l.ID+"/"+l.DefaultRule, l.DefaultRuleTags
	return &LoadBalancerRule{Meta: m, Actions: l.DefaultActions}
}

// LoadBalancerRule says which requests at a listener of an Application Load Balancer get which actions.
type LoadBalancerRule struct {
	Meta                               // ID is that of the listener, a slash and 16 hexadecimal digits
	Priority   int                     `json:"priority"` // from 1, the lowest is asked first; 0 is the default rule
	Conditions []LoadBalancerCondition `json:"conditions,omitempty"`
	Actions    []LoadBalancerAction    `json:"actions"`
	Transforms []LoadBalancerTransform `json:"transforms,omitempty"`
}

// Kind is KindLoadBalancerRule.
func (*LoadBalancerRule) Kind() Kind { return KindLoadBalancerRule }

// ARN is arn:aws:elasticloadbalancing:region:account:listener-rule/app/….
func (r *LoadBalancerRule) ARN(region string) string {
	return ARN{"aws", "elasticloadbalancing", region, r.Account, "listener-rule/" + r.ID}.String()
}

// ListenerID is the id of the rule's listener.
func (r *LoadBalancerRule) ListenerID() string { return r.ID[:strings.LastIndexByte(r.ID, '/')] }

// LoadBalancerCondition is one condition of a rule: a request meets it by any of its values or regular expressions.
type LoadBalancerCondition struct {
	Field       string                   `json:"field"` // host-header, path-pattern, http-header, http-request-method, query-string, source-ip
	Header      string                   `json:"header,omitempty"`
	Values      []string                 `json:"values,omitempty"`
	RegexValues []string                 `json:"regexValues,omitempty"`
	Queries     []LoadBalancerQueryValue `json:"queries,omitempty"`
}

// LoadBalancerQueryValue is a pair of a query string; an empty key stands for any.
type LoadBalancerQueryValue struct {
	Key   string `json:"key,omitempty"`
	Value string `json:"value"`
}

// LoadBalancerTransform rewrites host or URL of a request before it is forwarded.
type LoadBalancerTransform struct {
	Type     string                `json:"type"` // host-header-rewrite or url-rewrite
	Rewrites []LoadBalancerRewrite `json:"rewrites"`
}

// LoadBalancerRewrite puts something in the place of what a regular expression finds.
type LoadBalancerRewrite struct {
	Regex   string `json:"regex"`
	Replace string `json:"replace"`
}

// The types of actions that are served.
const (
	ActionForward       = "forward"
	ActionRedirect      = "redirect"
	ActionFixedResponse = "fixed-response"
)

// LoadBalancerAction is what a listener or rule does with a request. One of the last three members is set.
type LoadBalancerAction struct {
	Type          string                     `json:"type"`
	Order         int                        `json:"order,omitempty"` // 0 when it was not given
	Forward       *LoadBalancerForward       `json:"forward,omitempty"`
	Redirect      *LoadBalancerRedirect      `json:"redirect,omitempty"`
	FixedResponse *LoadBalancerFixedResponse `json:"fixedResponse,omitempty"`
}

// LoadBalancerForward shares requests out among target groups by weight.
type LoadBalancerForward struct {
	TargetGroups  []LoadBalancerWeight `json:"targetGroups"`
	Sticky        bool                 `json:"sticky,omitempty"`
	StickySeconds int                  `json:"stickySeconds,omitempty"`
}

// LoadBalancerWeight is a target group with its weight among others, 0 to 999.
type LoadBalancerWeight struct {
	TargetGroupARN string `json:"targetGroupArn"`
	Weight         int    `json:"weight"`
}

// LoadBalancerRedirect answers with another URL, whose parts may repeat the request's by #{host} and the like.
type LoadBalancerRedirect struct {
	Protocol   string `json:"protocol"`
	Host       string `json:"host"`
	Port       string `json:"port"`
	Path       string `json:"path"`
	Query      string `json:"query"`
	StatusCode string `json:"statusCode"` // HTTP_301 or HTTP_302
}

// LoadBalancerFixedResponse is an answer by the load balancer itself.
type LoadBalancerFixedResponse struct {
	StatusCode  string `json:"statusCode"`
	ContentType string `json:"contentType,omitempty"`
	Body        string `json:"body,omitempty"`
}

// LoadBalancerTargetGroup is what load balancers forward to. It is another noun than TargetGroup, which is VPC Lattice's.
type LoadBalancerTargetGroup struct {
	Meta                                    // ID is NAME/ and 16 hexadecimal digits
	Name            string                  `json:"name"`       // unique in its account
	TargetType      string                  `json:"targetType"` // instance, ip, lambda or alb
	Protocol        string                  `json:"protocol,omitempty"`
	ProtocolVersion string                  `json:"protocolVersion,omitempty"` // of HTTP and HTTPS
	Port            int                     `json:"port,omitempty"`
	VPCID           string                  `json:"vpcId,omitempty"`
	IPAddressType   string                  `json:"ipAddressType,omitempty"`
	HealthCheck     LoadBalancerHealthCheck `json:"healthCheck"`
	Attributes      map[string]string       `json:"attributes,omitempty"` // what was set
}

// LoadBalancerHealthCheck says how targets are asked whether they are well.
type LoadBalancerHealthCheck struct {
	Enabled            bool   `json:"enabled"`
	Protocol           string `json:"protocol,omitempty"` // none for functions
	Port               string `json:"port,omitempty"`     // a number, or traffic-port
	Path               string `json:"path,omitempty"`
	IntervalSeconds    int    `json:"intervalSeconds"`
	TimeoutSeconds     int    `json:"timeoutSeconds"`
	HealthyThreshold   int    `json:"healthyThreshold"`
	UnhealthyThreshold int    `json:"unhealthyThreshold"`
	HTTPCode           string `json:"httpCode,omitempty"`
	GRPCCode           string `json:"grpcCode,omitempty"`
}

// Kind is KindLoadBalancerTargetGroup.
func (*LoadBalancerTargetGroup) Kind() Kind { return KindLoadBalancerTargetGroup }

// ARN is arn:aws:elasticloadbalancing:region:account:targetgroup/….
func (g *LoadBalancerTargetGroup) ARN(region string) string {
	return ARN{"aws", "elasticloadbalancing", region, g.Account, "targetgroup/" + g.ID}.String()
}

// LoadBalancerTarget is a target of a LoadBalancerTargetGroup.
type LoadBalancerTarget struct {
	TargetGroup      string    `json:"targetGroup"` // key
	ID               string    `json:"id"`          // an instance, address, or ARN of a function or load balancer
	Port             int       `json:"port,omitempty"`
	AvailabilityZone string    `json:"availabilityZone,omitempty"`
	RegisteredAt     time.Time `json:"registeredAt"`
}

// Kind is KindLoadBalancerTarget.
func (*LoadBalancerTarget) Kind() Kind { return KindLoadBalancerTarget }

// Key is that of the target group, then port and id of the target.
func (t *LoadBalancerTarget) Key() string {
	return fmt.Sprintf("%s/%d/%s", t.TargetGroup, t.Port, t.ID)
}

// ParseLoadBalancingARN reads what sort of resource of Elastic Load Balancing an ARN names ("loadbalancer", "listener",
// "listener-rule", "targetgroup"), and its owner and id.
func ParseLoadBalancingARN(s string) (region, sort string, r Ref, err error) {
	a, err := ParseARN(s)
	sort, id, ok := strings.Cut(a.Resource, "/")
	if err != nil || !ok || a.Partition != "aws" || a.Service != "elasticloadbalancing" || !IsAccountID(a.Account) {
		return "", "", Ref{}, fmt.Errorf("%q is not the ARN of a resource of Elastic Load Balancing", s)
	}
	return a.Region, sort, Ref{a.Account, id}, nil
}

// hostedZones are the Route 53 zones that load balancers' names are in, by Region: of Application and of Network Load
// Balancers (AWS general reference, Elastic Load Balancing endpoints).
var hostedZones = map[string][2]string{
	"ap-northeast-1": {"Z14GRHDCWA56QT", "Z31USIVHYNEOWT"},
	"ap-northeast-2": {"ZWKZPGTI48KDX", "ZIBE1TIR4HY56"},
	"ap-south-1":     {"ZP97RAFLXTNZK", "ZVDDRBQ08TROA"},
	"ap-southeast-1": {"Z1LMS91P8CMLE5", "ZKVM4W9LS7TM"},
	"ap-southeast-2": {"Z1GM3OXH4ZPM65", "ZCT6FZBF4DROD"},
	"ca-central-1":   {"ZQSVJUPU6J1EY", "Z2EPGBW3API2WT"},
	"eu-central-1":   {"Z215JYRZR1TBD5", "Z3F0SRJ5LGBH90"},
	"eu-north-1":     {"Z23TAZ6LKFMNIO", "Z1UDT6IFJ4EJM"},
	"eu-west-1":      {"Z32O12XQLNTSW2", "Z2IFOLAFXWLO4F"},
	"eu-west-2":      {"ZHURV8PSTC4K8", "ZD4D7Y8KGAS4G"},
	"eu-west-3":      {"Z3Q77PNBQS71R4", "Z1CMS0P5QUZ6D5"},
	"sa-east-1":      {"Z2P70J7HTTTPLU", "ZTK26PT1VY4CU"},
	"us-east-1":      {"Z35SXDOTRQ7X7K", "Z26RNL4JYFTOTI"},
	"us-east-2":      {"Z3AADJGX6KTTL2", "ZLMOA37VPKANP"},
	"us-west-1":      {"Z368ELLRRE2KJ0", "Z24FKFUX50B4VW"},
	"us-west-2":      {"Z1H1FL5HABSF5", "Z18D5FSROUN65G"},
}

// HostedZone is the id of the Route 53 zone that the load balancer's name is in, for alias records. Regions that the table
// lacks have eu-west-1's.
func (b *LoadBalancer) HostedZone(region string) string {
	zones, ok := hostedZones[region]
	if !ok {
		zones = hostedZones["eu-west-1"]
	}
	if b.Type == LoadBalancerNetwork {
		return zones[1]
	}
	return zones[0]
}
