// Package quota is what accounts may have: the one table of quotas that what makes nouns asks, and the operations of
// Service Quotas by which an account reads its own and raises them (Service Quotas API reference). A higher limit holds
// from the commit of its request on, since it is read in the transaction that counts.
package quota

// ID names a quota of the table.
type ID int

// The quotas, in the order of the table.
const (
	ServiceNetworks ID = iota
	Services
	TargetGroups
	ListenersPerService
	RulesPerListener // the default rule does not count
	TargetGroupsPerService
	TargetsPerTargetGroup
	ServiceAssociationsPerNetwork
	VPCAssociationsPerNetwork
	ResourcesPerNetwork // associated configurations; a group counts once
	EndpointsPerNetwork
	ResourceConfigurations // groups and children included
	ChildrenPerGroup
	ResourceGatewaysPerVPC
	DomainVerifications
	NetworksPerVPC
	TargetGroupsPerLoadBalancer
	SecurityGroupsPerAssociation
	AuthPolicyBytes
	TagsPerResource
	RulePriority
	TargetsPerRegistration
	Certificates
	NamesPerCertificate
	VPCs
	SubnetsPerVPC
	BlocksPerVPC
	RouteTablesPerVPC
	RoutesPerTable // those that somebody made
	NetworkACLsPerVPC
	EntriesPerNetworkACL // of one direction and family, with the final one
	InternetGateways
	NetworkInterfaces // those that users made themselves
	SecurityGroups
	RulesPerSecurityGroup
	Users
	Groups
	Roles
	ManagedPolicies
	InstanceProfiles
	OIDCProviders
	PoliciesPerUser
	PoliciesPerGroup
	PoliciesPerRole
	ApplicationLoadBalancers
	NetworkLoadBalancers
	LoadBalancerTargetGroups // of both types
	ListenersPerApplicationLoadBalancer
	ListenersPerNetworkLoadBalancer
	RulesPerLoadBalancer                   // without default rules
	CertificatesPerApplicationLoadBalancer // without default ones
	CertificatesPerNetworkLoadBalancer
	TargetsPerLoadBalancerTargetGroup // instances or addresses
	HostedZones
	RecordsPerZone
	Buckets
	FunctionStorage // GB
	ConcurrentExecutions
	Keys
	AliasesPerKey
	GrantsPerKey
	DeliveryStreams
	end
)

// Quota is one limit of accounts.
type Quota struct {
	Service    string // Service Quotas' code of the service
	Code       string // empty: Service Quotas does not list it
	Name       string // AWS's
	Extended   int    // how many an account may have to begin with
	Strict     int    // likewise, as AWS has it (docs/modes.md)
	Adjustable bool
	Global     bool   // of the account, not of a Region
	Unit       string // what is counted, empty for things
}

// The services that have quotas here, and their names (Service Quotas, ListServices).
const (
	certificateManager = "acm"
	balancing          = "elasticloadbalancing"
	firehose           = "firehose"
	iam                = "iam"
	kms                = "kms"
	lambda             = "lambda"
	route53            = "route53"
	s3                 = "s3"
	virtualCloud       = "vpc"
	lattice            = "vpc-lattice"
)

// services are the names of the services.
var services = map[string]string{
	certificateManager: "AWS Certificate Manager (ACM)",
	balancing:          "Elastic Load Balancing (ELB)",
	firehose:           "Amazon Data Firehose",
	iam:                "AWS Identity and Access Management (IAM)",
	kms:                "AWS Key Management Service (AWS KMS)",
	lambda:             "AWS Lambda",
	route53:            "Amazon Route 53",
	s3:                 "Amazon Simple Storage Service (Amazon S3)",
	virtualCloud:       "Amazon Virtual Private Cloud (Amazon VPC)",
	lattice:            "Amazon VPC Lattice",
}

// table holds every quota that accounts can see or raise, and those of VPC Lattice (the services' user guides, quotas; codes
// as Service Quotas answers them). Some numbers are AWS's in both modes: nothing here needs more.
var table = [end]Quota{
	ServiceNetworks:                        {lattice, "L-9CAD07FB", "Service networks per Region", 10000, 50, true, false, ""},
	Services:                               {lattice, "L-620C821E", "Services per Region", 20000, 2000, true, false, ""},
	TargetGroups:                           {lattice, "L-BB11C6B9", "Target groups per Region", 20000, 500, true, false, ""},
	ListenersPerService:                    {lattice, "L-D64E952E", "Listeners per service", 100, 2, true, false, ""},
	RulesPerListener:                       {lattice, "L-CF78395E", "Rules per listener", 1000, 10, true, false, ""},
	TargetGroupsPerService:                 {lattice, "L-3DEC3B9F", "Target groups per service", 1000, 10, true, false, ""},
	TargetsPerTargetGroup:                  {lattice, "L-D71303F3", "Targets per target group", 10000, 1000, true, false, ""},
	ServiceAssociationsPerNetwork:          {lattice, "L-75D4A19E", "Service associations per service network", 10000, 500, true, false, ""},
	VPCAssociationsPerNetwork:              {lattice, "L-EF6E2D62", "VPC associations per service network", 10000, 500, true, false, ""},
	ResourcesPerNetwork:                    {lattice, "L-6095700C", "Resource configurations per service network", 1000, 500, true, false, ""},
	EndpointsPerNetwork:                    {lattice, "L-89DEA27F", "Service network VPC endpoints per service network", 1000, 200, true, false, ""},
	ResourceConfigurations:                 {lattice, "L-5FF8F9B9", "Resource configurations per Region", 20000, 2000, true, false, ""},
	ChildrenPerGroup:                       {lattice, "L-9BC96FEF", "Child resource configurations per group", 1000, 60, true, false, ""},
	ResourceGatewaysPerVPC:                 {lattice, "L-0DCA4434", "Resource gateways per VPC", 500, 500, true, false, ""},
	DomainVerifications:                    {lattice, "L-73D0F278", "Domain verifications per Region", 1000, 5, true, false, ""},
	NetworksPerVPC:                         {lattice, "", "Service networks per VPC", 100, 1, false, false, ""},
	TargetGroupsPerLoadBalancer:            {lattice, "", "Target groups per Application Load Balancer", 100, 2, false, false, ""},
	SecurityGroupsPerAssociation:           {lattice, "", "Security groups per association", 5, 5, false, false, ""},
	AuthPolicyBytes:                        {lattice, "", "Auth policy size", 10240, 10240, false, false, "Bytes"},
	TagsPerResource:                        {lattice, "", "Tags per resource", 50, 50, false, false, ""},
	RulePriority:                           {lattice, "", "Highest priority of a rule", 2000, 100, false, false, ""},
	TargetsPerRegistration:                 {lattice, "", "Targets per registration", 100, 100, false, false, ""},
	Certificates:                           {certificateManager, "L-F141DD1D", "ACM certificates", 10000, 2500, true, false, ""},
	NamesPerCertificate:                    {certificateManager, "L-FB94F0B0", "Domain names per ACM certificate", 100, 10, true, false, ""},
	VPCs:                                   {virtualCloud, "L-F678F1CE", "VPCs per Region", 1000, 5, true, false, ""},
	SubnetsPerVPC:                          {virtualCloud, "L-407747CB", "Subnets per VPC", 1000, 200, true, false, ""},
	BlocksPerVPC:                           {virtualCloud, "L-83CA0A9D", "IPv4 CIDR blocks per VPC", 50, 5, true, false, ""},
	RouteTablesPerVPC:                      {virtualCloud, "L-589F43AA", "Route tables per VPC", 1000, 200, true, false, ""},
	RoutesPerTable:                         {virtualCloud, "L-93826ACB", "Routes per route table", 1000, 500, true, false, ""},
	NetworkACLsPerVPC:                      {virtualCloud, "L-B4A6D682", "Network ACLs per VPC", 1000, 200, true, false, ""},
	EntriesPerNetworkACL:                   {virtualCloud, "L-2AEEBF1A", "Rules per network ACL", 1000, 20, true, false, ""},
	InternetGateways:                       {virtualCloud, "L-A4707A72", "Internet gateways per Region", 1000, 5, true, false, ""},
	NetworkInterfaces:                      {virtualCloud, "L-DF5E4CA3", "Network interfaces per Region", 20000, 5000, true, false, ""},
	SecurityGroups:                         {virtualCloud, "L-E79EC296", "VPC security groups per Region", 20000, 2500, true, false, ""},
	RulesPerSecurityGroup:                  {virtualCloud, "L-0EA8095F", "Inbound or outbound rules per security group", 1000, 60, true, false, ""},
	Users:                                  {iam, "L-F55AF5E4", "Users per account", 5000, 5000, false, true, ""},
	Groups:                                 {iam, "L-F4A5425F", "Groups per account", 300, 300, true, true, ""},
	Roles:                                  {iam, "L-FE177D64", "Roles per account", 1000, 1000, true, true, ""},
	ManagedPolicies:                        {iam, "L-E95E4862", "Customer managed policies per account", 1500, 1500, true, true, ""},
	InstanceProfiles:                       {iam, "L-6E65F664", "Instance profiles per account", 1000, 1000, true, true, ""},
	OIDCProviders:                          {iam, "L-858F3967", "OpenId connect providers per account", 100, 100, true, true, ""},
	PoliciesPerUser:                        {iam, "L-4019AD8B", "Managed policies per user", 10, 10, true, true, ""},
	PoliciesPerGroup:                       {iam, "L-384571C4", "Managed policies per group", 10, 10, true, true, ""},
	PoliciesPerRole:                        {iam, "L-0DA4ABF3", "Managed policies per role", 10, 10, true, true, ""},
	ApplicationLoadBalancers:               {balancing, "L-53DA6B97", "Application Load Balancers per Region", 5000, 50, true, false, ""},
	NetworkLoadBalancers:                   {balancing, "L-69A177A2", "Network Load Balancers per Region", 5000, 50, true, false, ""},
	LoadBalancerTargetGroups:               {balancing, "L-B22855CB", "Target Groups per Region", 10000, 3000, true, false, ""},
	ListenersPerApplicationLoadBalancer:    {balancing, "L-B6DF7632", "Listeners per Application Load Balancer", 200, 50, true, false, ""},
	ListenersPerNetworkLoadBalancer:        {balancing, "L-57A373D6", "Listeners per Network Load Balancer", 200, 50, false, false, ""},
	RulesPerLoadBalancer:                   {balancing, "L-7EED9B64", "Rules per Application Load Balancer", 1000, 100, true, false, ""},
	CertificatesPerApplicationLoadBalancer: {balancing, "L-9365A611", "Certificates per Application Load Balancer", 200, 25, true, false, ""},
	CertificatesPerNetworkLoadBalancer:     {balancing, "L-52964454", "Certificates per Network Load Balancer", 200, 25, true, false, ""},
	TargetsPerLoadBalancerTargetGroup:      {balancing, "L-A0D0B863", "Targets per Target Group per Region", 5000, 1000, true, false, ""},
	HostedZones:                            {route53, "L-4EA4796A", "Hosted zones", 20000, 500, true, true, ""},
	RecordsPerZone:                         {route53, "L-E209CC9F", "Records per hosted zone", 10000, 10000, false, true, ""},
	Buckets:                                {s3, "L-DC2B2D3D", "General purpose buckets", 100000, 10000, true, true, ""},
	FunctionStorage:                        {lambda, "L-2ACBD22F", "Function and layer storage", 75, 75, true, false, "Gigabytes"},
	ConcurrentExecutions:                   {lambda, "L-B99A9384", "Concurrent executions", 10000, 1000, true, false, ""},
	Keys:                                   {kms, "L-C2F1777E", "Customer Master Keys (CMKs)", 100000, 100000, true, false, ""},
	AliasesPerKey:                          {kms, "L-340F62FB", "Aliases per CMK", 50, 50, true, false, ""},
	GrantsPerKey:                           {kms, "L-D594A657", "Grants per CMK", 50000, 50000, true, false, ""},
	DeliveryStreams:                        {firehose, "L-14BB0BE7", "Delivery streams", 20000, 5000, true, false, ""},
}

// Name is a quota's name.
func Name(id ID) string { return table[id].Name }

// ServiceName is the name of the quota's service.
func (q *Quota) ServiceName() string { return services[q.Service] }
