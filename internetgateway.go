package trellis

// InternetGateway joins a VPC with the internet on AWS. Here it is a record: what a VPC reaches outside is the node's to say.
type InternetGateway struct {
	Meta
	VPCID string `json:"vpcId,omitempty"` // empty while it is attached to none
}

// Kind is KindInternetGateway.
func (*InternetGateway) Kind() Kind { return KindInternetGateway }

// ARN is arn:aws:ec2:region:account:internet-gateway/igw-….
func (g *InternetGateway) ARN(region string) string {
	return EC2ARN(region, g.Account, "internet-gateway/"+g.ID)
}
