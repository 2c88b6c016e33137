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
	InternetGateways
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
	Global     bool // of the account, not of a Region
	Bytes      bool // counts bytes
}

// The services that have quotas here, and their names (Service Quotas, ListServices).
const (
	certificateManager = "acm"
	iam                = "iam"
	virtualCloud       = "vpc"
	lattice            = "vpc-lattice"
)

// services are the names of the services.
var services = map[string]string{
	certificateManager: "AWS Certificate Manager (ACM)",
	iam:                "AWS Identity and Access Management (IAM)",
	virtualCloud:       "Amazon Virtual Private Cloud (Amazon VPC)",
	lattice:            "Amazon VPC Lattice",
}

// table holds every quota (the user guides of VPC Lattice, ACM, VPC and IAM, quotas; codes as Service Quotas answers them).
// IAM's numbers are AWS's in both modes: nothing here needs more.
var table = [end]Quota{
	ServiceNetworks:               {lattice, "L-9CAD07FB", "Service networks per Region", 10000, 50, true, false, false},
	Services:                      {lattice, "L-620C821E", "Services per Region", 20000, 2000, true, false, false},
	TargetGroups:                  {lattice, "L-BB11C6B9", "Target groups per Region", 20000, 500, true, false, false},
	ListenersPerService:           {lattice, "L-D64E952E", "Listeners per service", 100, 2, true, false, false},
	RulesPerListener:              {lattice, "L-CF78395E", "Rules per listener", 1000, 10, true, false, false},
	TargetGroupsPerService:        {lattice, "L-3DEC3B9F", "Target groups per service", 1000, 10, true, false, false},
	TargetsPerTargetGroup:         {lattice, "L-D71303F3", "Targets per target group", 10000, 1000, true, false, false},
	ServiceAssociationsPerNetwork: {lattice, "L-75D4A19E", "Service associations per service network", 10000, 500, true, false, false},
	VPCAssociationsPerNetwork:     {lattice, "L-EF6E2D62", "VPC associations per service network", 10000, 500, true, false, false},
	ResourcesPerNetwork:           {lattice, "L-6095700C", "Resource configurations per service network", 1000, 500, true, false, false},
	EndpointsPerNetwork:           {lattice, "L-89DEA27F", "Service network VPC endpoints per service network", 1000, 200, true, false, false},
	ResourceConfigurations:        {lattice, "L-5FF8F9B9", "Resource configurations per Region", 20000, 2000, true, false, false},
	ChildrenPerGroup:              {lattice, "L-9BC96FEF", "Child resource configurations per group", 1000, 60, true, false, false},
	ResourceGatewaysPerVPC:        {lattice, "L-0DCA4434", "Resource gateways per VPC", 500, 500, true, false, false},
	DomainVerifications:           {lattice, "L-73D0F278", "Domain verifications per Region", 1000, 5, true, false, false},
	NetworksPerVPC:                {lattice, "", "Service networks per VPC", 100, 1, false, false, false},
	TargetGroupsPerLoadBalancer:   {lattice, "", "Target groups per Application Load Balancer", 100, 2, false, false, false},
	SecurityGroupsPerAssociation:  {lattice, "", "Security groups per association", 5, 5, false, false, false},
	AuthPolicyBytes:               {lattice, "", "Auth policy size", 10240, 10240, false, false, true},
	TagsPerResource:               {lattice, "", "Tags per resource", 50, 50, false, false, false},
	RulePriority:                  {lattice, "", "Highest priority of a rule", 2000, 100, false, false, false},
	TargetsPerRegistration:        {lattice, "", "Targets per registration", 100, 100, false, false, false},
	Certificates:                  {certificateManager, "L-F141DD1D", "ACM certificates", 10000, 2500, true, false, false},
	NamesPerCertificate:           {certificateManager, "L-FB94F0B0", "Domain names per ACM certificate", 100, 10, true, false, false},
	VPCs:                          {virtualCloud, "L-F678F1CE", "VPCs per Region", 1000, 5, true, false, false},
	SubnetsPerVPC:                 {virtualCloud, "L-407747CB", "Subnets per VPC", 1000, 200, true, false, false},
	BlocksPerVPC:                  {virtualCloud, "L-83CA0A9D", "IPv4 CIDR blocks per VPC", 50, 5, true, false, false},
	RouteTablesPerVPC:             {virtualCloud, "L-589F43AA", "Route tables per VPC", 1000, 200, true, false, false},
	RoutesPerTable:                {virtualCloud, "L-93826ACB", "Routes per route table", 1000, 500, true, false, false},
	InternetGateways:              {virtualCloud, "L-A4707A72", "Internet gateways per Region", 1000, 5, true, false, false},
	SecurityGroups:                {virtualCloud, "L-E79EC296", "VPC security groups per Region", 20000, 2500, true, false, false},
	RulesPerSecurityGroup:         {virtualCloud, "L-0EA8095F", "Inbound or outbound rules per security group", 1000, 60, true, false, false},
	Users:                         {iam, "L-F55AF5E4", "Users per account", 5000, 5000, false, true, false},
	Groups:                        {iam, "L-F4A5425F", "Groups per account", 300, 300, true, true, false},
	Roles:                         {iam, "L-FE177D64", "Roles per account", 1000, 1000, true, true, false},
	ManagedPolicies:               {iam, "L-E95E4862", "Customer managed policies per account", 1500, 1500, true, true, false},
	InstanceProfiles:              {iam, "L-6E65F664", "Instance profiles per account", 1000, 1000, true, true, false},
	OIDCProviders:                 {iam, "L-858F3967", "OpenId connect providers per account", 100, 100, true, true, false},
	PoliciesPerUser:               {iam, "L-4019AD8B", "Managed policies per user", 10, 10, true, true, false},
	PoliciesPerGroup:              {iam, "L-384571C4", "Managed policies per group", 10, 10, true, true, false},
	PoliciesPerRole:               {iam, "L-0DA4ABF3", "Managed policies per role", 10, 10, true, true, false},
}

// Name is a quota's name.
func Name(id ID) string { return table[id].Name }

// ServiceName is the name of the quota's service.
func (q *Quota) ServiceName() string { return services[q.Service] }
