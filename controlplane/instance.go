package controlplane

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// maxInstancesPerCall bounds one RunInstances.
const maxInstancesPerCall = 100

// NewInstances is what RunInstances asks for.
type NewInstances struct {
	ImageID               string // any ami-…: a lab instance is an empty host, whatever its image
	InstanceType          string // t3.micro when empty
	SubnetID              string
	SecurityGroupIDs      []string // the default group of the VPC when empty
	SecurityGroupNames    []string // further ones, by name in the VPC
	PrivateIP             string   // of the only instance; the first free address when empty
	IPv6                  string   // likewise
	IPv6Count             int      // 1 takes a free IPv6 address
	MinCount, MaxCount    int
	ProfileARN            string // instance profile, by one of both
	ProfileName           string
	ClientToken           string
	Tags                  map[string]string
	DisableAPITermination bool
}

// RunInstances makes MaxCount instances in one subnet, or MinCount at least when addresses are short. They
// are pending until the node has made them.
func (p *Plane) RunInstances(ctx context.Context, c EC2Call, in NewInstances) ([]*trellis.Instance, trellis.Revision, error) {
	if err := in.check(); err != nil {
		return nil, 0, err
	}
	var out []*trellis.Instance
	rev, err := p.ec2Commit(ctx, func(tx *store.Tx) error {
		out = nil
		if err := p.allowRun(tx, c, in); err != nil {
			return err
		}
		first, err := store.Once(tx, c.account()+"/RunInstances", in.ClientToken, in, func() (*trellis.Instance, error) {
			var err error
			out, err = p.launch(tx, c, in)
			if err != nil {
				return nil, err
			}
			return out[0], nil
		})
		if err != nil || out != nil {
			return err
		}
		all, err := store.List[*trellis.Instance](tx, c.account()+"/") // the token was used: the same reservation again
		for _, i := range all {
			if i.ReservationID == first.ReservationID {
				out = append(out, i)
			}
		}
		return err
	})
	slices.SortFunc(out, func(a, b *trellis.Instance) int { return a.LaunchIndex - b.LaunchIndex })
	return out, rev, err
}

// allowRun checks the caller's policies: ec2:RunInstances on all that the instances are made of.
func (p *Plane) allowRun(tx *store.Tx, c EC2Call, in NewInstances) error {
	arns := []string{p.ec2ARN(c, "instance/*"), p.ec2ARN(c, "subnet/"+in.SubnetID), trellis.EC2ARN(p.Region, "", "image/"+in.ImageID)}
	groups := in.SecurityGroupIDs
	if subnet, err := find[*trellis.Subnet](tx, idSubnet, c.account(), in.SubnetID); err == nil {
		if all, err := launchGroups(tx, subnet, in); err == nil {
			groups = all // those by name, too; what does not exist is for launch to refuse
		}
	}
	for _, id := range groups {
		arns = append(arns, p.ec2ARN(c, "security-group/"+id))
	}
	return p.allow(tx, c, "RunInstances", authpolicy.TagKeys(nil, in.Tags, nil), arns...)
}

// check finds what is wrong with the parameters by themselves.
func (in NewInstances) check() error {
	switch {
	case in.ImageID == "":
		return missingParameter("ImageId")
	case in.SubnetID == "":
		return missingParameter("SubnetId")
	case in.MinCount < 1 || in.MaxCount < in.MinCount:
		return ec2Error("InvalidParameterValue", "Value (%d) for parameter minCount is invalid. It must be 1 or more and not more than maxCount (%d).", in.MinCount, in.MaxCount)
	case in.MaxCount > maxInstancesPerCall:
		return ec2Error("InstanceLimitExceeded", "You have requested more instances (%d) than one call may make (%d).", in.MaxCount, maxInstancesPerCall)
	case len(in.SecurityGroupIDs)+len(in.SecurityGroupNames) > 5:
		return ec2Error("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.")
	case in.MaxCount > 1 && (in.PrivateIP != "" || in.IPv6 != "" || in.Tags[IDTag] != ""):
		return ec2Error("InvalidParameterCombination", "An address or id can be chosen for one instance only.")
	case in.ProfileARN != "" && in.ProfileName != "":
		return ec2Error("InvalidParameterCombination", "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'")
	}
	return idImage.check(in.ImageID)
}

// launch makes the instances in a transaction.
func (p *Plane) launch(tx *store.Tx, c EC2Call, in NewInstances) ([]*trellis.Instance, error) {
	subnet, err := find[*trellis.Subnet](tx, idSubnet, c.account(), in.SubnetID)
	if err != nil {
		return nil, err
	}
	groups, err := launchGroups(tx, subnet, in)
	if err != nil {
		return nil, err
	}
	profile, role, withRole, err := ProfileNamed{in.ProfileARN, in.ProfileName}.profile(tx, c, "")
	if err != nil {
		return nil, err
	}
	free, err := freeAddresses(tx, subnet)
	if err != nil {
		return nil, err
	}
	reservation := trellis.NewID("r")
	var out []*trellis.Instance
	for n := range in.MaxCount {
		v4, err := free.take4(in.PrivateIP)
		if err != nil && (n < in.MinCount || in.PrivateIP != "") {
			return nil, err
		}
		if err != nil {
			break
		}
		v6, err := free.take6(in.IPv6, in.IPv6Count > 0)
		if err != nil {
			return nil, err
		}
		meta, err := p.ec2Meta(tx, c, idInstance, in.Tags)
		if err != nil {
			return nil, err
		}
		i := &trellis.Instance{Meta: meta, VPCID: subnet.VPCID, SubnetID: subnet.ID, PrivateIP: v4, IPv6: v6, MAC: newMAC(),
			InterfaceID: trellis.NewID("eni"), SecurityGroupIDs: groups, ImageID: in.ImageID, InstanceType: in.InstanceType,
			ReservationID: reservation, State: trellis.InstancePending, StateChangedAt: meta.CreatedAt, LaunchIndex: n, DisableAPITermination: in.DisableAPITermination}
		if i.InstanceType == "" {
			i.InstanceType = "t3.micro"
		}
		if withRole {
			p.associate(tx, i, profile, role)
		}
		tx.Put(i)
		out = append(out, i)
	}
	return out, nil
}

// launchGroups finds the security groups of new instances, which must be of the subnet's VPC.
func launchGroups(tx *store.Tx, subnet *trellis.Subnet, in NewInstances) ([]string, error) {
	all, err := store.List[*trellis.SecurityGroup](tx, subnet.Account+"/")
	if err != nil {
		return nil, err
	}
	names := in.SecurityGroupNames
	if len(in.SecurityGroupIDs)+len(names) == 0 {
		names = []string{defaultGroupName}
	}
	out, err := groupsOfVPC(tx, subnet.Account, subnet.VPCID, in.SecurityGroupIDs)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		i := slices.IndexFunc(all, func(g *trellis.SecurityGroup) bool { return g.VPCID == subnet.VPCID && g.Name == name })
		if i < 0 {
			return nil, idSecurityGroup.notFound(name)
		}
		if !slices.Contains(out, all[i].ID) {
			out = append(out, all[i].ID)
		}
	}
	return out, nil
}

// groupsOfVPC checks that security groups exist in a VPC, and returns their ids without repeats.
func groupsOfVPC(tx *store.Tx, account, vpcID string, ids []string) (out []string, err error) {
	for _, id := range ids {
		g, err := find[*trellis.SecurityGroup](tx, idSecurityGroup, account, id)
		if err != nil {
			return nil, err
		}
		if g.VPCID != vpcID {
			return nil, ec2Error("InvalidParameter", "Security group %s and subnet belong to different networks.", id)
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// newMAC returns a random unicast address of the locally administered kind that AWS uses too.
func newMAC() string {
	b := make([]byte, 6)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	b[0] = 0x0a
	return net.HardwareAddr(b).String()
}

// idList is how error messages write several ids.
func idList(ids []string) string { return fmt.Sprintf("'%s'", strings.Join(ids, ", ")) }
