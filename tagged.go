package trellis

import (
	"maps"
	"slices"
	"strings"
)

// TaggedResource is something with tags, as what looks at the tags of all services sees it.
type TaggedResource struct {
	ARN  string
	Type string // service:resource, as the Resource Groups Tagging API names types: vpc-lattice:service
	Tags map[string]string
}

// taggedKind is how the resources with tags of one kind of noun are found.
type taggedKind struct {
	typ string                                       // of all of them, or what their types begin with
	of  func(n Noun, region string) []TaggedResource // those in one noun: nearly always itself
}

// tagged are the kinds of nouns whose tags anybody can see. A noun with tags that stands neither here nor among the
// reasons of its test is found missing by the test.
var tagged = map[Kind]taggedKind{
	KindAccessLogSubscription:       one("vpc-lattice:accesslogsubscription", (*AccessLogSubscription).ARN),
	KindAlarm:                       one("cloudwatch:alarm", (*Alarm).ARN),
	KindAnywhereProfile:             one("rolesanywhere:profile", (*AnywhereProfile).ARN),
	KindAnywhereSubject:             one("rolesanywhere:subject", (*AnywhereSubject).ARN),
	KindBucket:                      one("s3:bucket", anywhere((*Bucket).ARN)),
	KindCertificate:                 one("acm:certificate", (*Certificate).ARN),
	KindCluster:                     one("eks:cluster", (*Cluster).ARN),
	KindDeliveryStream:              one("firehose:deliverystream", (*DeliveryStream).ARN),
	KindDashboard:                   one("cloudwatch:dashboard", anywhere((*Dashboard).ARN)),
	KindDHCPOptions:                 one("ec2:dhcp-options", (*DHCPOptions).ARN),
	KindDomainVerification:          one("vpc-lattice:domainverification", (*DomainVerification).ARN),
	KindElasticNetworkInterface:     one("ec2:network-interface", (*ElasticNetworkInterface).ARN),
	KindFunction:                    one("lambda:function", (*Function).ARN),
	KindHostedZone:                  one("route53:hostedzone", anywhere((*HostedZone).ARN)),
	KindInstance:                    one("ec2:instance", (*Instance).ARN),
	KindInstanceProfile:             one("iam:instance-profile", anywhere((*InstanceProfile).ARN)),
	KindInternetGateway:             one("ec2:internet-gateway", (*InternetGateway).ARN),
	KindKey:                         one("kms:key", (*Key).ARN),
	KindKeyPair:                     one("ec2:key-pair", (*KeyPair).ARN),
	KindListener:                    one("vpc-lattice:listener", (*Listener).ARN),
	KindLoadBalancer:                one("elasticloadbalancing:loadbalancer", (*LoadBalancer).ARN),
	KindLoadBalancerListener:        {"elasticloadbalancing:listener", listenerAndDefault},
	KindLoadBalancerRule:            one("elasticloadbalancing:listener-rule", (*LoadBalancerRule).ARN),
	KindLoadBalancerTargetGroup:     one("elasticloadbalancing:targetgroup", (*LoadBalancerTargetGroup).ARN),
	KindManagedPolicy:               one("iam:policy", anywhere((*ManagedPolicy).ARN)),
	KindNetworkACL:                  one("ec2:network-acl", (*NetworkACL).ARN),
	KindOIDCProvider:                one("iam:oidc-provider", anywhere((*OIDCProvider).ARN)),
	KindParameter:                   one("ssm:parameter", (*Parameter).ARN),
	KindPodIdentityAssociation:      one("eks:podidentityassociation", (*PodIdentityAssociation).ARN),
	KindPrefixList:                  one("ec2:prefix-list", (*PrefixList).ARN),
	KindResourceAssociation:         one("vpc-lattice:servicenetworkresourceassociation", owned((*ResourceAssociation).ARN)),
	KindResourceConfiguration:       one("vpc-lattice:resourceconfiguration", (*ResourceConfiguration).ARN),
	KindResourceEndpointAssociation: one("vpc-lattice:resourceendpointassociation", owned((*ResourceEndpointAssociation).ARN)),
	KindResourceGateway:             one("vpc-lattice:resourcegateway", (*ResourceGateway).ARN),
	KindResourceShare:               one("ram:resource-share", (*ResourceShare).ARN),
	KindRevocationList:              one("rolesanywhere:crl", (*RevocationList).ARN),
	KindRouteTable:                  one("ec2:route-table", (*RouteTable).ARN),
	KindRule:                        one("vpc-lattice:rule", (*Rule).ARN),
	KindSecurityGroup:               {"ec2:security-group", groupAndRules},
	KindService:                     one("vpc-lattice:service", (*Service).ARN),
	KindServiceAssociation:          one("vpc-lattice:servicenetworkserviceassociation", owned((*ServiceAssociation).ARN)),
	KindServiceNetwork:              one("vpc-lattice:servicenetwork", (*ServiceNetwork).ARN),
	KindSharePermission:             one("ram:permission", (*SharePermission).ARN),
	KindSubnet:                      one("ec2:subnet", (*Subnet).ARN),
	KindTargetGroup:                 one("vpc-lattice:targetgroup", (*TargetGroup).ARN),
	KindTrustAnchor:                 one("rolesanywhere:trust-anchor", (*TrustAnchor).ARN),
	KindVolume:                      one("ec2:volume", (*Volume).ARN),
	KindVPC:                         one("ec2:vpc", (*VPC).ARN),
	KindVPCAssociation:              one("vpc-lattice:servicenetworkvpcassociation", owned((*VPCAssociation).ARN)),
	KindVPCEndpoint:                 one("ec2:vpc-endpoint", (*VPCEndpoint).ARN),
}

// Owned is a noun that an account owns, with its tags.
type Owned interface {
	Noun
	Common() *Meta
}

// one is a kind whose nouns are one resource each.
func one[T Owned](typ string, arn func(n T, region string) string) taggedKind {
	return taggedKind{typ, func(n Noun, region string) []TaggedResource {
		t := n.(T)
		return []TaggedResource{{arn(t, region), typ, t.Common().Tags}}
	}}
}

// anywhere is the ARN of what has no Region.
func anywhere[T Noun](arn func(T) string) func(T, string) string {
	return func(n T, _ string) string { return arn(n) }
}

// owned is the ARN that the owner of an association sees.
func owned[T Owned](arn func(n T, region, viewer string) string) func(T, string) string {
	return func(n T, region string) string { return arn(n, region, n.Common().Account) }
}

// groupAndRules are a security group and its rules, which have tags of their own.
func groupAndRules(n Noun, region string) []TaggedResource {
	g := n.(*SecurityGroup)
	all := []TaggedResource{{g.ARN(region), "ec2:security-group", g.Tags}}
	for _, r := range g.Rules {
		all = append(all, TaggedResource{EC2ARN(region, g.Account, "security-group-rule/"+r.ID), "ec2:security-group-rule", r.Tags})
	}
	return all
}

// listenerAndDefault are a listener of a load balancer and its default rule, which has tags of its own.
func listenerAndDefault(n Noun, region string) []TaggedResource {
	l := n.(*LoadBalancerListener)
	rule := l.Default()
	return []TaggedResource{{l.ARN(region), "elasticloadbalancing:listener", l.Tags}, {rule.ARN(region), "elasticloadbalancing:listener-rule", rule.Tags}}
}

// TaggedKinds are the kinds of nouns whose resources may be of a type, or of any type of a service: "ec2:vpc", "ec2".
// Without a type they are all.
func TaggedKinds(typ string) []Kind {
	var kinds []Kind
	for _, k := range slices.Sorted(maps.Keys(tagged)) {
		if t := tagged[k].typ; typ == "" || strings.HasPrefix(typ, t) || strings.HasPrefix(t, typ+":") {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// TaggedResources are the resources with tags that a noun is: none, itself, or itself and its parts.
func TaggedResources(n Noun, region string) []TaggedResource {
	if k, ok := tagged[n.Kind()]; ok {
		return k.of(n, region)
	}
	return nil
}
