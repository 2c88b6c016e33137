package trellis

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Kind names a kind of noun. It is the first part of a noun's key in the store, so its text never changes.
type Kind string

// The kinds of nouns.
const (
	KindAccessKey                   Kind = "accesskey"
	KindAccessLogSubscription       Kind = "accesslogsubscription"
	KindAccount                     Kind = "account"
	KindAlarm                       Kind = "alarm"
	KindAnywhereProfile             Kind = "anywhereprofile"
	KindAnywhereSubject             Kind = "anywheresubject"
	KindAppliedQuota                Kind = "appliedquota"
	KindAuthority                   Kind = "authority"
	KindAuthPolicy                  Kind = "authpolicy"
	KindBucket                      Kind = "bucket"
	KindCertificate                 Kind = "certificate"
	KindCluster                     Kind = "cluster"
	KindDeliveryStream              Kind = "deliverystream"
	KindDashboard                   Kind = "dashboard"
	KindDHCPOptions                 Kind = "dhcpoptions"
	KindDomainVerification          Kind = "domainverification"
	KindElasticNetworkInterface     Kind = "elasticnetworkinterface"
	KindEndpointAddress             Kind = "endpointaddress"
	KindFunction                    Kind = "function"
	KindFunctionAlias               Kind = "functionalias"
	KindGrant                       Kind = "grant"
	KindGroup                       Kind = "group"
	KindHandshake                   Kind = "handshake"
	KindHostedZone                  Kind = "hostedzone"
	KindInstance                    Kind = "instance"
	KindInstanceProfile             Kind = "instanceprofile"
	KindInternetGateway             Kind = "internetgateway"
	KindKey                         Kind = "key"
	KindKeyAlias                    Kind = "keyalias"
	KindKeyPair                     Kind = "keypair"
	KindListener                    Kind = "listener"
	KindLoadBalancer                Kind = "loadbalancer"
	KindLoadBalancerListener        Kind = "loadbalancerlistener"
	KindLoadBalancerRule            Kind = "loadbalancerrule"
	KindLoadBalancerTarget          Kind = "loadbalancertarget"
	KindLoadBalancerTargetGroup     Kind = "loadbalancertargetgroup"
	KindManagedPolicy               Kind = "managedpolicy"
	KindNetworkACL                  Kind = "networkacl"
	KindOIDCProvider                Kind = "oidcprovider"
	KindOrganization                Kind = "organization"
	KindOrganizationalUnit          Kind = "organizationalunit"
	KindOrganizationPolicy          Kind = "organizationpolicy"
	KindParameter                   Kind = "parameter"
	KindParameterVersion            Kind = "parameterversion"
	KindPermissionReplacement       Kind = "permissionreplacement"
	KindPodIdentityAssociation      Kind = "podidentityassociation"
	KindPrefixList                  Kind = "prefixlist"
	KindPublishedVersion            Kind = "publishedversion"
	KindRecordSet                   Kind = "recordset"
	KindResourceAssociation         Kind = "resourceassociation"
	KindResourceConfiguration       Kind = "resourceconfiguration"
	KindResourceEndpointAssociation Kind = "resourceendpointassociation"
	KindResourceGateway             Kind = "resourcegateway"
	KindResourcePolicy              Kind = "resourcepolicy"
	KindResourceShare               Kind = "resourceshare"
	KindRevocationList              Kind = "revocationlist"
	KindRole                        Kind = "role"
	KindRouteTable                  Kind = "routetable"
	KindRule                        Kind = "rule"
	KindSealingKey                  Kind = "sealingkey"
	KindSecurityGroup               Kind = "securitygroup"
	KindService                     Kind = "service"
	KindServiceAssociation          Kind = "serviceassociation"
	KindServiceNetwork              Kind = "servicenetwork"
	KindSharePermission             Kind = "sharepermission"
	KindSubnet                      Kind = "subnet"
	KindTarget                      Kind = "target"
	KindTargetGroup                 Kind = "targetgroup"
	KindTargetHealth                Kind = "targethealth"
	KindTrustAnchor                 Kind = "trustanchor"
	KindUser                        Kind = "user"
	KindVolume                      Kind = "volume"
	KindVPC                         Kind = "vpc"
	KindVPCAssociation              Kind = "vpcassociation"
	KindVPCEndpoint                 Kind = "vpcendpoint"
)

// Noun is a value that the store keeps: it knows its kind and its key within that kind.
// Every implementation is a pointer to one of this package's structs.
type Noun interface {
	// Kind is the same for all values of a type, the nil pointer included.
	Kind() Kind
	// Key identifies the noun among its kind. Parts are joined by '/', the owning account comes first,
	// so a prefix lists what one account, or one parent, holds.
	Key() string
}

// makers makes an empty noun for each kind, for decoding.
var makers = map[Kind]func() Noun{
	KindAccessKey:                   func() Noun { return new(AccessKey) },
	KindAccessLogSubscription:       func() Noun { return new(AccessLogSubscription) },
	KindAccount:                     func() Noun { return new(Account) },
	KindAlarm:                       func() Noun { return new(Alarm) },
	KindAnywhereProfile:             func() Noun { return new(AnywhereProfile) },
	KindAnywhereSubject:             func() Noun { return new(AnywhereSubject) },
	KindAppliedQuota:                func() Noun { return new(AppliedQuota) },
	KindAuthority:                   func() Noun { return new(Authority) },
	KindAuthPolicy:                  func() Noun { return new(AuthPolicy) },
	KindBucket:                      func() Noun { return new(Bucket) },
	KindCertificate:                 func() Noun { return new(Certificate) },
	KindCluster:                     func() Noun { return new(Cluster) },
	KindDeliveryStream:              func() Noun { return new(DeliveryStream) },
	KindDashboard:                   func() Noun { return new(Dashboard) },
	KindDHCPOptions:                 func() Noun { return new(DHCPOptions) },
	KindDomainVerification:          func() Noun { return new(DomainVerification) },
	KindElasticNetworkInterface:     func() Noun { return new(ElasticNetworkInterface) },
	KindEndpointAddress:             func() Noun { return new(EndpointAddress) },
	KindFunction:                    func() Noun { return new(Function) },
	KindFunctionAlias:               func() Noun { return new(FunctionAlias) },
	KindGrant:                       func() Noun { return new(Grant) },
	KindGroup:                       func() Noun { return new(Group) },
	KindHandshake:                   func() Noun { return new(Handshake) },
	KindHostedZone:                  func() Noun { return new(HostedZone) },
	KindInstance:                    func() Noun { return new(Instance) },
	KindInstanceProfile:             func() Noun { return new(InstanceProfile) },
	KindInternetGateway:             func() Noun { return new(InternetGateway) },
	KindKey:                         func() Noun { return new(Key) },
	KindKeyAlias:                    func() Noun { return new(KeyAlias) },
	KindKeyPair:                     func() Noun { return new(KeyPair) },
	KindListener:                    func() Noun { return new(Listener) },
	KindLoadBalancer:                func() Noun { return new(LoadBalancer) },
	KindLoadBalancerListener:        func() Noun { return new(LoadBalancerListener) },
	KindLoadBalancerRule:            func() Noun { return new(LoadBalancerRule) },
	KindLoadBalancerTarget:          func() Noun { return new(LoadBalancerTarget) },
	KindLoadBalancerTargetGroup:     func() Noun { return new(LoadBalancerTargetGroup) },
	KindManagedPolicy:               func() Noun { return new(ManagedPolicy) },
	KindNetworkACL:                  func() Noun { return new(NetworkACL) },
	KindOIDCProvider:                func() Noun { return new(OIDCProvider) },
	KindOrganization:                func() Noun { return new(Organization) },
	KindOrganizationalUnit:          func() Noun { return new(OrganizationalUnit) },
	KindOrganizationPolicy:          func() Noun { return new(OrganizationPolicy) },
	KindParameter:                   func() Noun { return new(Parameter) },
	KindParameterVersion:            func() Noun { return new(ParameterVersion) },
	KindPermissionReplacement:       func() Noun { return new(PermissionReplacement) },
	KindPodIdentityAssociation:      func() Noun { return new(PodIdentityAssociation) },
	KindPrefixList:                  func() Noun { return new(PrefixList) },
	KindPublishedVersion:            func() Noun { return new(PublishedVersion) },
	KindRecordSet:                   func() Noun { return new(RecordSet) },
	KindResourceAssociation:         func() Noun { return new(ResourceAssociation) },
	KindResourceConfiguration:       func() Noun { return new(ResourceConfiguration) },
	KindResourceEndpointAssociation: func() Noun { return new(ResourceEndpointAssociation) },
	KindResourceGateway:             func() Noun { return new(ResourceGateway) },
	KindResourcePolicy:              func() Noun { return new(ResourcePolicy) },
	KindResourceShare:               func() Noun { return new(ResourceShare) },
	KindRevocationList:              func() Noun { return new(RevocationList) },
	KindRole:                        func() Noun { return new(Role) },
	KindRouteTable:                  func() Noun { return new(RouteTable) },
	KindRule:                        func() Noun { return new(Rule) },
	KindSealingKey:                  func() Noun { return new(SealingKey) },
	KindSecurityGroup:               func() Noun { return new(SecurityGroup) },
	KindService:                     func() Noun { return new(Service) },
	KindServiceAssociation:          func() Noun { return new(ServiceAssociation) },
	KindServiceNetwork:              func() Noun { return new(ServiceNetwork) },
	KindSharePermission:             func() Noun { return new(SharePermission) },
	KindSubnet:                      func() Noun { return new(Subnet) },
	KindTarget:                      func() Noun { return new(Target) },
	KindTargetGroup:                 func() Noun { return new(TargetGroup) },
	KindTargetHealth:                func() Noun { return new(TargetHealth) },
	KindTrustAnchor:                 func() Noun { return new(TrustAnchor) },
	KindUser:                        func() Noun { return new(User) },
	KindVolume:                      func() Noun { return new(Volume) },
	KindVPC:                         func() Noun { return new(VPC) },
	KindVPCAssociation:              func() Noun { return new(VPCAssociation) },
	KindVPCEndpoint:                 func() Noun { return new(VPCEndpoint) },
}

// terms tells what the nouns of a kind are found by, where that is more than their keys.
var terms = map[Kind]func(n Noun) []string{
	KindElasticNetworkInterface: func(n Noun) []string { return n.(*ElasticNetworkInterface).Terms() },
	KindResourcePolicy:          func(n Noun) []string { return n.(*ResourcePolicy).Terms() },
	KindResourceShare:           func(n Noun) []string { return n.(*ResourceShare).Terms() },
}

// Terms are what a noun is found by beside its key, each once, for example the principals of a share: the store keeps an index of
// them, in the transaction that writes the noun. A term holds no "//".
func Terms(n Noun) []string {
	if of, ok := terms[n.Kind()]; ok {
		return of(n)
	}
	return nil
}

// Indexed tells whether the nouns of a kind have terms.
func Indexed(k Kind) bool { return terms[k] != nil }

// NewNoun returns an empty noun of a kind to decode into.
func NewNoun(k Kind) (Noun, error) {
	if mk, ok := makers[k]; ok {
		return mk(), nil
	}
	return nil, fmt.Errorf("unknown kind of noun %q: was the data written by a newer Trellis?", k)
}

// Kinds returns all kinds, sorted.
func Kinds() []Kind { return slices.Sorted(maps.Keys(makers)) }

// Meta is what every noun that an account owns has in common.
type Meta struct {
	Account   string            `json:"account"` // 12 digits, the owner
	ID        string            `json:"id"`      // unique among its kind, for example svc-0123456789abcdef0
	CreatedAt time.Time         `json:"createdAt"`
	UpdatedAt time.Time         `json:"updatedAt"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// Key is account/id.
func (m *Meta) Key() string { return m.Account + "/" + m.ID }

// Common returns the Meta itself, for code that works on any noun that an account owns.
func (m *Meta) Common() *Meta { return m }

// Ref names another noun by its owner and id. Its text form is the other's Key.
type Ref struct {
	Account string `json:"account"`
	ID      string `json:"id"`
}

// Key is the Key of the noun that is meant.
func (r Ref) Key() string { return r.Account + "/" + r.ID }

// Ref returns a reference to the noun.
func (m *Meta) Ref() Ref { return Ref{m.Account, m.ID} }

// Status is where a noun stands in its life. Only kinds that AWS gives a status have one.
type Status string

// The statuses of AWS's asynchronous resources (VPC Lattice API, for example GetService).
const (
	StatusCreateInProgress Status = "CREATE_IN_PROGRESS"
	StatusActive           Status = "ACTIVE"
	StatusCreateFailed     Status = "CREATE_FAILED"
	StatusUpdateInProgress Status = "UPDATE_IN_PROGRESS"
	StatusUpdateFailed     Status = "UPDATE_FAILED"
	StatusDeleteInProgress Status = "DELETE_IN_PROGRESS"
	StatusDeleteFailed     Status = "DELETE_FAILED"
	StatusPartial          Status = "PARTIAL" // of a resource association: some of what reaches it does not
)

// Carries tells whether what has this status carries traffic: a failed update leaves what was there before.
func (s Status) Carries() bool {
	return s == StatusActive || s == StatusPartial || s == StatusUpdateInProgress || s == StatusUpdateFailed
}
