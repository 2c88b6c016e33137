package controlplane

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
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
	ImageID            string // any ami-…: a lab instance is an empty host, whatever its image
	InstanceType       string // t3.micro when empty
	SubnetID           string
	SecurityGroupIDs   []string            // the default group of the VPC when empty
	SecurityGroupNames []string            // further ones, by name in the VPC
	PrivateIP          string              // of the only instance; the first free address when empty
	IPv6               string              // likewise
	IPv6Count          int                 // 1 takes a free IPv6 address
	Interfaces         []InstanceInterface // what the instance has in place of all that, from SubnetID on
	MinCount, MaxCount int
	ProfileARN         string // instance profile, by one of both
	ProfileName        string
	ClientToken        string
	Tags               map[string]string
	UserData           []byte // in the clear: see Instance.UserData
	Zone               string // that the subnet must be in, if it is said
	trellis.InstanceSettings
	Volumes         []InstanceVolume
	VolumeTags      map[string]string
	StandardCredits bool // of a type whose credits are unlimited when nothing is said
}

// InstanceInterface is a network interface that an instance is launched with: a new one, or one that exists.
type InstanceInterface struct {
	NewNetworkInterface
	ID                  string // of one that exists; nothing is new then
	DeviceIndex         int
	DeleteOnTermination *bool // nil: a new one ends with the instance, one that exists does not
}

// ends tells whether the interface ends with the instance.
func (n *InstanceInterface) ends() bool {
	if n.DeleteOnTermination != nil {
		return *n.DeleteOnTermination
	}
	return n.ID == ""
}

// implied tells whether an instance says of its first interface all that there is to know.
func (n *InstanceInterface) implied() bool {
	return n.ID == "" && n.ends() && n.Description == "" && len(n.Tags) == 0 && len(n.SecondaryIPs) == 0 && n.SecondaryCount == 0 && len(n.IPv6)+n.IPv6Count <= 1
}

// interfaces are all interfaces of a new instance, the one at device index 0 first.
func (in *NewInstances) interfaces() []InstanceInterface {
	if len(in.Interfaces) > 0 {
		return slices.SortedStableFunc(slices.Values(in.Interfaces), func(a, b InstanceInterface) int { return a.DeviceIndex - b.DeviceIndex })
	}
	n := NewNetworkInterface{SubnetID: in.SubnetID, SecurityGroupIDs: in.SecurityGroupIDs, SecurityGroupNames: in.SecurityGroupNames, PrivateIP: in.PrivateIP}
	if n.IPv6 = one(in.IPv6); n.IPv6 == nil {
		n.IPv6Count = min(in.IPv6Count, 1)
	}
	return []InstanceInterface{{NewNetworkInterface: n}}
}

// RunInstances makes MaxCount instances in one subnet, or MinCount at least when addresses are short. They
// are pending until the node has made them.
func (p *Plane) RunInstances(ctx context.Context, c EC2Call, in NewInstances) ([]*trellis.Instance, trellis.Revision, error) {
	if err := in.check(); err != nil {
		return nil, 0, err
	}
	var have launched
	var err error
	if have.interfaces, err = count[*trellis.ElasticNetworkInterface](ctx, p, c.account()+"/"); err != nil {
		return nil, 0, err
	}
	if have.volumes, err = count[*trellis.Volume](ctx, p, c.account()+"/"); err != nil {
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
			out, err = p.launch(tx, c, in, have)
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
	options, _, err := metadataDefaults(tx, c.account())
	if err != nil {
		return err
	}
	tagKeys := authpolicy.TagKeys(nil, in.Tags, nil)
	if err := p.permit(tx, c, "RunInstances", metadataKeys(maps.Clone(tagKeys), in.MetadataOptions.Or(options)), p.ec2ARN(c, "instance/*")); err != nil {
		return err
	}
	volumes, err := p.launchVolumes(tx, c.account(), in)
	if err != nil {
		return err
	}
	for _, v := range volumes {
		if err := p.permit(tx, c, "RunInstances", volumeKeys(authpolicy.TagKeys(nil, in.VolumeTags, nil), v), p.ec2ARN(c, "volume/*")); err != nil {
			return err
		}
	}
	arns := []string{trellis.EC2ARN(p.Region, "", "image/"+in.ImageID)}
	if in.KeyName != "" {
		arns = append(arns, p.keyPairARN(c, in.KeyName))
	}
	named := newAllocators(tx, c.account())
	for _, n := range in.interfaces() {
		if n.ID != "" {
			arns = append(arns, p.ec2ARN(c, "network-interface/"+n.ID))
			continue
		}
		arns = append(arns, p.ec2ARN(c, "subnet/"+n.SubnetID))
		groups := n.SecurityGroupIDs
		if subnet, err := find[*trellis.Subnet](tx, idSubnet, c.account(), n.SubnetID); err == nil {
			if all, err := named.groups(subnet, n.NewNetworkInterface); err == nil {
				groups = all // those by name, too; what does not exist is for launch to refuse
			}
		}
		for _, id := range groups {
			arns = append(arns, p.ec2ARN(c, "security-group/"+id))
		}
	}
	return p.allow(tx, c, "RunInstances", tagKeys, arns...)
}

// check finds what is wrong with the parameters by themselves.
func (in NewInstances) check() error {
	switch {
	case in.ImageID == "":
		return missingParameter("ImageId")
	case in.MinCount < 1 || in.MaxCount < in.MinCount:
		return ec2Error("InvalidParameterValue", "Value (%d) for parameter minCount is invalid. It must be 1 or more and not more than maxCount (%d).", in.MinCount, in.MaxCount)
	case in.MaxCount > maxInstancesPerCall:
		return ec2Error("InstanceLimitExceeded", "You have requested more instances (%d) than one call may make (%d).", in.MaxCount, maxInstancesPerCall)
	case in.MaxCount > 1 && in.Tags[IDTag] != "":
		return ec2Error("InvalidParameterCombination", "An address or id can be chosen for one instance only.")
	case in.ProfileARN != "" && in.ProfileName != "":
		return ec2Error("InvalidParameterCombination", "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'")
	case len(in.Interfaces) > MaxInterfaces:
		return ec2Error("AttachmentLimitExceeded", "Interface count %d exceeds the limit for %s", len(in.Interfaces), in.kind())
	}
	all := in.interfaces()
	for at, n := range all {
		switch {
		case at == 0 && n.DeviceIndex != 0:
			return ec2Error("InvalidParameterCombination", "An instance must have a network interface at device index 0.")
		case at > 0 && n.DeviceIndex == all[at-1].DeviceIndex:
			return ec2Error("InvalidParameterValue", "Each network interface requires a unique device index.")
		case n.ID != "" && slices.ContainsFunc(all[:at], func(before InstanceInterface) bool { return before.ID == n.ID }):
			return interfaceInUse(n.ID)
		}
		if err := in.checkInterface(n); err != nil {
			return err
		}
	}
	if err := checkMetadataOptions(in.MetadataOptions); err != nil {
		return err
	}
	if err := checkUserData(in.UserData); err != nil {
		return err
	}
	if !trellis.Burstable(in.kind()) && (in.UnlimitedCredits || in.StandardCredits) {
		return creditsNotSupported(in.kind())
	}
	return idImage.check(in.ImageID)
}

// kind is the type of the instances.
func (in NewInstances) kind() string { return cmp.Or(in.InstanceType, "t3.micro") }

// checkInterface finds what is wrong with one interface by itself.
func (in NewInstances) checkInterface(n InstanceInterface) error {
	if in.MaxCount > 1 && (n.ID != "" || n.PrivateIP != "" || len(n.SecondaryIPs)+len(n.IPv6) > 0 || n.Tags[IDTag] != "") {
		return ec2Error("InvalidParameterCombination", "An address or id can be chosen for one instance only.")
	}
	if n.ID == "" {
		return n.check()
	}
	if n.SubnetID != "" || n.Description != "" || n.PrivateIP != "" || len(n.SecurityGroupIDs)+len(n.SecurityGroupNames)+len(n.SecondaryIPs)+len(n.IPv6)+n.SecondaryCount+n.IPv6Count > 0 {
		return ec2Error("InvalidParameterCombination", "A network interface ID may not be specified together with what a new interface would have: subnet, security groups, addresses and description.")
	}
	return idInterface.check(n.ID)
}

// launched is how many of what instances are launched with an account has.
type launched struct{ interfaces, volumes int }

// launch makes the instances in a transaction, before which the account had some of what they are launched with.
func (p *Plane) launch(tx *store.Tx, c EC2Call, in NewInstances, have launched) ([]*trellis.Instance, error) {
	if in.KeyName != "" {
		if k, err := keyPairNamed(tx, c.account(), in.KeyName); err != nil {
			return nil, err
		} else if k == nil {
			return nil, noKeyPair(in.KeyName)
		}
	}
	profile, role, withRole, err := ProfileNamed{in.ProfileARN, in.ProfileName}.profile(tx, c, "")
	if err != nil {
		return nil, err
	}
	volumes, err := p.launchVolumes(tx, c.account(), in)
	if err != nil {
		return nil, err
	}
	if err := roomForVolumes(have.volumes, in.MaxCount*len(volumes)); err != nil {
		return nil, err
	}
	settings := in.InstanceSettings
	if settings.MetadataOptions, err = launchMetadata(tx, c.account(), in); err != nil {
		return nil, err
	}
	settings.UnlimitedCredits = in.UnlimitedCredits || unlimitedAtFirst(in.kind()) && !in.StandardCredits
	free := newAllocators(tx, c.account())
	reservation := trellis.NewID("r")
	var out []*trellis.Instance
	for index := range in.MaxCount {
		interfaces, err := p.launchInterfaces(tx, in, free)
		if isFull(err) && index >= in.MinCount {
			break
		}
		if err != nil {
			return nil, err
		}
		meta, err := p.ec2Meta(tx, c, idInstance, in.Tags)
		if err != nil {
			return nil, err
		}
		i := &trellis.Instance{Meta: meta, ImageID: in.ImageID, InstanceType: in.kind(), ReservationID: reservation,
			State: trellis.InstancePending, StateChangedAt: meta.CreatedAt, LaunchIndex: index, UserData: trellis.NewSecret(string(in.UserData)), InstanceSettings: settings}
		if err := p.giveInterfaces(tx, c, i, in.interfaces(), interfaces, &have.interfaces); err != nil {
			return nil, err
		}
		if err := checkZone(tx, i, in.Zone); err != nil {
			return nil, err
		}
		if err := p.giveVolumes(tx, c, i, volumes, in.VolumeTags); err != nil {
			return nil, err
		}
		if withRole {
			p.associate(tx, i, profile, role)
		}
		tx.Put(i)
		out = append(out, i)
	}
	return out, nil
}

// launchInterfaces finds or makes the interfaces of one new instance, without putting them: new ones have no id yet.
func (p *Plane) launchInterfaces(tx *store.Tx, in NewInstances, free *allocators) ([]*trellis.ElasticNetworkInterface, error) {
	var out []*trellis.ElasticNetworkInterface
	for _, asked := range in.interfaces() {
		var n *trellis.ElasticNetworkInterface
		var err error
		if asked.ID != "" {
			n, err = p.freeInterface(tx, free.account, asked.ID)
		} else {
			n, err = newInterface(tx, asked.NewNetworkInterface, free)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// giveInterfaces gives a new instance its interfaces, as they were asked for. What the first one is the instance tells itself. have is how
// many the account has stored, and counts on.
func (p *Plane) giveInterfaces(tx *store.Tx, c EC2Call, i *trellis.Instance, asked []InstanceInterface, interfaces []*trellis.ElasticNetworkInterface, have *int) (err error) {
	for at, n := range interfaces {
		switch {
		case n.ID != "":
		case at == 0 && asked[0].implied():
			n.ID = trellis.NewID(idInterface.prefix)
		default:
			if err := p.roomForInterface(tx, c, *have); err != nil {
				return err
			}
			*have++
			if n.Meta, err = p.ec2Meta(tx, c, idInterface, asked[at].Tags); err != nil {
				return err
			}
		}
	}
	first := interfaces[0]
	i.VPCID, i.SubnetID, i.PrivateIP, i.MAC, i.InterfaceID, i.SecurityGroupIDs = first.VPCID, first.SubnetID, first.IPv4[0], first.MAC, first.ID, first.SecurityGroupIDs
	if len(first.IPv6) > 0 {
		i.IPv6 = first.IPv6[0]
	}
	tx.Put(i)
	if !asked[0].implied() {
		first.Attachment = &trellis.InterfaceAttachment{InstanceID: i.ID, DeleteOnTermination: asked[0].ends(), At: i.CreatedAt}
		tx.Put(first)
	}
	for at, n := range interfaces[1:] {
		if err := p.attach(tx, n, i, asked[at+1].DeviceIndex, asked[at+1].ends()); err != nil {
			return err
		}
		tx.Put(n)
	}
	return nil
}

// groups finds the security groups of a new interface, which must be of the subnet's VPC.
func (a *allocators) groups(subnet *trellis.Subnet, in NewNetworkInterface) ([]string, error) {
	names := in.SecurityGroupNames
	if len(in.SecurityGroupIDs)+len(names) == 0 {
		names = []string{defaultGroupName}
	}
	out, err := groupsOfVPC(a.tx, subnet.Account, subnet.VPCID, in.SecurityGroupIDs)
	if err != nil || len(names) == 0 {
		return out, err
	}
	all, err := a.allGroups()
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
