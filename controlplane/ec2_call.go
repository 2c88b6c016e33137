package controlplane

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// EC2Call is who calls an operation of EC2, and whether the caller only asks if it would be allowed.
type EC2Call struct {
	Caller *authpolicy.Caller
	DryRun bool
}

// account is the account that the caller acts in. Nouns of other accounts do not exist for EC2.
func (c EC2Call) account() string { return c.Caller.Principal.Account }

// allow checks the caller's own policies for an action that names nothing that exists, "CreateVpc", on each ARN. It answers
// UnauthorizedOperation, or DryRunOperation when the action is allowed and only that was asked
// (EC2 API reference, common errors).
func (c EC2Call) allow(action string, k keys, arns ...string) error {
	if err := c.allowed("ec2:"+action, k, arns...); err != nil {
		return err
	}
	return c.dryRun()
}

// dryRun answers who asked only whether the action is allowed, which it is.
func (c EC2Call) dryRun() error {
	if c.DryRun {
		return trellis.NewError(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	}
	return nil
}

// allow is EC2Call.allow for an action that names resources which exist: the caller's policies see the tags of each, as
// aws:ResourceTag and as ec2:ResourceTag (Service Authorization Reference, Amazon EC2), and an instance's metadata options, as
// they are in the transaction that goes on with the action.
func (p *Plane) allow(tx *store.Tx, c EC2Call, action string, k keys, arns ...string) error {
	if err := p.permit(tx, c, action, k, arns...); err != nil {
		return err
	}
	return c.dryRun()
}

// permit is allow for some of the resources that an action names: others follow.
func (p *Plane) permit(tx *store.Tx, c EC2Call, action string, k keys, arns ...string) error {
	for _, arn := range arns {
		tags, err := ec2TagsOf(tx, c.account(), arn)
		if err != nil {
			return err
		}
		own := authpolicy.TagKeys(maps.Clone(k), nil, tags)
		for name, v := range tags {
			own["ec2:resourcetag/"+strings.ToLower(name)] = []string{v}
		}
		if own, err = metadataKeysOf(tx, own, arn); err != nil {
			return err
		}
		if err := c.allowed("ec2:"+action, own, arn); err != nil {
			return err
		}
	}
	return nil
}

// allowed is allow for an action of any service, "iam:PassRole", that comes with the one that was called.
func (c EC2Call) allowed(action string, k keys, arns ...string) error {
	for _, arn := range arns {
		if err := c.Caller.Authorize(action, arn, k); err != nil {
			return unauthorized(err)
		}
	}
	return nil
}

// unauthorized gives a refusal the code and the words that EC2 has for it.
func unauthorized(err error) error {
	var e *trellis.Error
	if !errors.As(err, &e) {
		return err
	}
	refused := trellis.NewError(403, "UnauthorizedOperation", "You are not authorized to perform this operation. %s", e.Message)
	refused.Denial = e.Denial
	return refused
}

// ec2ARN is the ARN of a resource of the caller's account, for example resource "vpc/*".
func (p *Plane) ec2ARN(c EC2Call, resource string) string {
	return trellis.EC2ARN(p.Region, c.account(), resource)
}

// ec2Commit runs fn as one transaction. A client token that was used with other parameters is
// IdempotentParameterMismatch (EC2 API reference, ensuring idempotency).
func (p *Plane) ec2Commit(ctx context.Context, fn func(*store.Tx) error) (trellis.Revision, error) {
	rev, err := p.Store.Commit(ctx, fn)
	var reused *store.TokenReusedError
	if errors.As(err, &reused) {
		return 0, trellis.NewError(400, "IdempotentParameterMismatch", "The client token was already used with different parameters.")
	}
	return rev, err
}

// ec2Error is an error of EC2 with status 400, which nearly all of them have.
func ec2Error(code, format string, args ...any) *trellis.Error {
	return trellis.NewError(400, code, format, args...)
}

// missingParameter says that a required parameter is absent.
func missingParameter(name string) error {
	return ec2Error("MissingParameter", "The request must contain the parameter %s", name)
}

// invalidParameter says that a value is not one that a parameter takes.
func invalidParameter(name, value, why string) error {
	msg := fmt.Sprintf("Value (%s) for parameter %s is invalid.", value, name)
	if why != "" {
		msg += " " + why
	}
	return ec2Error("InvalidParameterValue", "%s", msg)
}

// idKind is a kind of EC2 id with the codes that name it in errors.
type idKind struct {
	prefix    string // before the hyphen
	code      string // InvalidVpcID: the codes are this with .NotFound and .Malformed
	malformed string // the whole code when it is not code + .Malformed
	noun      string // "vpc ID", in messages
	guide     int    // a further length that ids may have, besides 8 and 17
}

// The kinds of ids, with the codes of EC2's API reference (error codes).
var (
	idVPC           = idKind{prefix: "vpc", code: "InvalidVpcID", noun: "vpc ID"}
	idSubnet        = idKind{prefix: "subnet", code: "InvalidSubnetID", noun: "subnet ID"}
	idSecurityGroup = idKind{prefix: "sg", code: "InvalidGroup", malformed: "InvalidGroupId.Malformed", noun: "security group", guide: len("0latticeclients0001")}
	idGroupRule     = idKind{prefix: "sgr", code: "InvalidSecurityGroupRuleId", noun: "security group rule ID"}
	idInstance      = idKind{prefix: "i", code: "InvalidInstanceID", noun: "instance ID"}
	idPrefixList    = idKind{prefix: "pl", code: "InvalidPrefixListID", noun: "prefix list ID"}
	idInterface     = idKind{prefix: "eni", code: "InvalidNetworkInterfaceID", noun: "networkInterface ID"}
	idVolume        = idKind{prefix: "vol", code: "InvalidVolume", malformed: "InvalidVolumeID.Malformed", noun: "volume"}
	idImage         = idKind{prefix: "ami", code: "InvalidAMIID", noun: "image id"}
	idRouteTable    = idKind{prefix: "rtb", code: "InvalidRouteTableID", noun: "routeTable ID"}
	idDHCPOptions   = idKind{prefix: "dopt", code: "InvalidDhcpOptionID", malformed: "InvalidDhcpOptionsId.Malformed", noun: "dhcpOption ID"}
	idKeyPair       = idKind{prefix: "key", code: "InvalidKeyPair", noun: "key pair"}
	idNetworkACL    = idKind{prefix: "acl", code: "InvalidNetworkAclID", malformed: "InvalidNetworkAclId.Malformed", noun: "networkAcl ID"}
)

// notFound says that there is no such resource in the caller's account.
func (k idKind) notFound(id string) error {
	return ec2Error(k.code+".NotFound", "The %s '%s' does not exist", k.noun, id)
}

// check refuses an id that cannot be one. The digits may be any of 0-9a-z, not hexadecimal ones only: VPC
// Lattice's model allows them, and readable ids such as vpc-0client1111aaaa22 are in use in guides.
func (k idKind) check(id string) error {
	if k.fits(id) {
		return nil
	}
	code := k.malformed
	if code == "" {
		code = k.code + ".Malformed"
	}
	return ec2Error(code, "Invalid id: \"%s\" (expecting \"%s-...\")", id, k.prefix)
}

// fits tells whether an id is the prefix, a hyphen, and 8 or 17 digits or small letters, or as many as the
// guide's sg-0latticeclients0001 has.
func (k idKind) fits(id string) bool {
	rest, ok := strings.CutPrefix(id, k.prefix+"-")
	if !ok || len(rest) != 8 && len(rest) != 17 && len(rest) != max(k.guide, 8) {
		return false
	}
	for _, c := range []byte(rest) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// find reads one noun of the caller's account by its id, with the errors of its kind of id.
func find[T trellis.Noun](tx *store.Tx, k idKind, account, id string) (T, error) {
	var zero T
	if err := k.check(id); err != nil {
		return zero, err
	}
	n, err := store.Get[T](tx, account+"/"+id)
	if errors.Is(err, trellis.ErrNotExist) {
		return zero, k.notFound(id)
	}
	return n, err
}

// IDTag is the tag by which a lab chooses the id of a VPC, subnet, security group or instance that it
// creates, an extension of Trellis: written examples name their resources before they exist, for instance
// vpc-0aa11bb22cc33dd44. The value must fit the pattern of the id and be free in the whole installation.
const IDTag = "trellis:id"

// newEC2ID returns the id that the tags choose, or a random one, and takes it: an id is unique across
// accounts, since namespaces on the node and the tools that enter them know a VPC and an instance by it.
func newEC2ID(tx *store.Tx, k idKind, account string, tags map[string]string) (string, error) {
	id, chosen := tags[IDTag]
	if !chosen {
		id = trellis.NewID(k.prefix)
	} else if !k.fits(id) {
		return "", invalidParameter("TagSpecification", id, fmt.Sprintf("The tag %s must be an id such as %s-0123456789abcdef0.", IDTag, k.prefix))
	} else if implied, err := isImplied(tx, k, account, id); err != nil {
		return "", err
	} else if implied {
		return "", idInUse(id)
	}
	err := tx.Claim("ec2id/"+id, account+"/"+id)
	var taken *store.TakenError
	if errors.As(err, &taken) {
		return "", idInUse(id)
	}
	return id, err
}

// isImplied tells whether an id is that of something that an account has before it is stored: the account or a VPC was born with it, or an
// instance with its first interface.
func isImplied(tx *store.Tx, k idKind, account, id string) (bool, error) {
	switch k {
	case idDHCPOptions:
		return id == bornDHCPOptions(account), nil
	case idRouteTable:
		all, _, err := routeTables(tx, account)
		return hasID(all, id), err
	case idNetworkACL:
		all, _, err := networkACLs(tx, account)
		return hasID(all, id), err
	case idInterface:
		all, err := store.List[*trellis.Instance](tx, account+"/")
		return slices.ContainsFunc(all, func(i *trellis.Instance) bool { return i.InterfaceID == id }), err
	}
	return false, nil
}

// idInUse says that an id which a tag chooses is something else's.
func idInUse(id string) error {
	return invalidParameter("TagSpecification", id, fmt.Sprintf("The id of the tag %s is in use.", IDTag))
}

// releaseEC2ID frees what newEC2ID took.
func releaseEC2ID(tx *store.Tx, id string) { tx.Release("ec2id/" + id) }

// ec2Meta returns the Meta of a noun that is being created.
func (p *Plane) ec2Meta(tx *store.Tx, c EC2Call, k idKind, tags map[string]string) (trellis.Meta, error) {
	if err := checkTags(tags); err != nil {
		return trellis.Meta{}, err
	}
	id, err := newEC2ID(tx, k, c.account(), tags)
	if err != nil {
		return trellis.Meta{}, err
	}
	now := p.now()
	return trellis.Meta{Account: c.account(), ID: id, CreatedAt: now, UpdatedAt: now, Tags: tags}, nil
}
