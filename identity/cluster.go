package identity

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// IssuerTag is the tag of a cluster that names the issuer of its service accounts' tokens. EKS makes the issuer itself
// and its API has no member for it; Trellis runs no Kubernetes and must be told (docs/decisions/0015).
const IssuerTag = "trellis:oidc-issuer"

// ThumbprintTag is the tag of a cluster with the thumbprint, or several with spaces between, of certificates that the
// issuer may show although no well-known authority has issued them, as IAM's ThumbprintList: SHA-1 in hexadecimal.
const ThumbprintTag = "trellis:oidc-thumbprint"

// Limits of EKS (EKS user guide, service-quotas and pod-identities).
const (
	maxClusters     = 100
	maxClusterSets  = 5    // security groups of a cluster
	maxSubnets      = 16   // of a cluster
	maxAssociations = 5000 // of a cluster
	maxIssuer       = 255
)

// Region is the region of what has one, for ARNs.
func (i *Identity) Region() string { return i.o.Region }

// Cluster is a cluster with the VPC that its subnets are in; empty when they are gone.
type Cluster struct {
	*trellis.Cluster
	VPCID string
}

// eksInvalid is EKS's error for a bad parameter.
func eksInvalid(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "InvalidParameterException", format, args...)
}

// noCluster is for a cluster that a caller named.
func noCluster(name string) *trellis.Error {
	return trellis.NewError(404, "ResourceNotFoundException", "No cluster found for name: %s.", name)
}

// eksResource is an ARN of the caller's account that authorizes a request about a resource of EKS, for example
// "cluster/orders".
func (i *Identity) eksResource(c *authpolicy.Caller, resource string) string {
	return trellis.ARN{Partition: "aws", Service: "eks", Region: i.o.Region, Account: c.Principal.Account, Resource: resource}.String()
}

// issuerSet is the set of the account's cluster with an issuer: its one member is the cluster's name.
func issuerSet(account, issuer string) string {
	_, bare, _ := strings.Cut(issuer, "://")
	return "clusterissuer/" + account + "/" + bare
}

// thumbprintForm is the form of a thumbprint (IAM API reference, CreateOpenIDConnectProvider).
var thumbprintForm = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)

// checkIssuer refuses what can't be the issuer of tokens (OpenID Connect Discovery 1.0, section 3; Kubernetes'
// --service-account-issuer): an https URL without user, query and fragment, or an http one when not strict.
func checkIssuer(issuer string, strict bool) error {
	u, err := url.Parse(issuer)
	switch {
	case issuer == "":
		return eksInvalid("Trellis runs no Kubernetes: name the issuer of the service account tokens of a cluster that exists by the tag %s, for example https://oidc.example.com/id/ABC.", IssuerTag)
	case err != nil, len(issuer) > maxIssuer, u.Scheme != "https" && (u.Scheme != "http" || strict), u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "", strings.Contains(u.Path, "//"), u.String() != issuer:
		return eksInvalid("The tag %s must be the URL of an issuer: scheme, host and path alone, at most %d characters.", IssuerTag, maxIssuer)
	}
	return nil
}

// eksTags refuses tags that EKS would refuse, with a code of the operation.
func eksTags(code string, tags map[string]string) error {
	if len(tags) > trellis.MaxTags {
		return trellis.NewError(400, code, "The number of tags has reached the maximum limit of %d.", trellis.MaxTags)
	}
	for k, v := range tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return trellis.NewError(400, code, "%s", fault)
		}
	}
	return nil
}

// tokenReused turns a client token that came with other parameters before into EKS's error.
func tokenReused(err error) error {
	if _, reused := errors.AsType[*store.TokenReusedError](err); reused {
		return eksInvalid("The client request token was already used with different parameters.")
	}
	return err
}

// eksRole reads a role that a caller may hand to a service of EKS, and refuses one that is not the account's.
func eksRole(tx *store.Tx, c *authpolicy.Caller, arn, service string) (*trellis.Role, error) {
	if !isRoleARN(arn) {
		return nil, eksInvalid("%s is not the ARN of a role.", arn)
	}
	a, _ := trellis.ParseARN(arn)
	if a.Account != c.Principal.Account {
		return nil, trellis.Denied("Cross-account pass role is not allowed.")
	}
	missing := eksInvalid("Role provided in the request does not exist.")
	r, err := get[*trellis.Role](tx, a.Account+"/"+trellis.LastPart(a.Resource), missing)
	if err != nil {
		return nil, err
	}
	if r.ARN() != arn {
		return nil, missing
	}
	return r, PassRole(c, r, service, "")
}

// CreateCluster makes the record of a Kubernetes cluster out of its name, version, role, network and tags, of which
// IssuerTag must be one.
func (i *Identity) CreateCluster(ctx context.Context, c *authpolicy.Caller, token string, in trellis.Cluster) (made *Cluster, rev trellis.Revision, err error) {
	account := c.Principal.Account
	if err := errors.Join(eksTags("InvalidParameterException", in.Tags), checkNetwork(&in)); err != nil {
		return nil, 0, first(err)
	}
	rev, err = i.commit(ctx, c, "eks:CreateCluster", i.eksResource(c, "cluster/"+in.ID), authpolicy.TagKeys(nil, in.Tags, nil), func(tx *store.Tx) error {
		n, err := store.Once(tx, account+"/CreateCluster", token, in, func() (*trellis.Cluster, error) { return i.putCluster(tx, c, in) })
		if err != nil {
			return err
		}
		made, err = withVPC(tx, n)
		return err
	})
	return made, rev, tokenReused(err)
}

// first is the first of joined errors that a client may see.
func first(err error) error {
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return e
	}
	return err
}

// checkNetwork refuses a network that can't be a cluster's, whatever exists.
func checkNetwork(in *trellis.Cluster) error {
	switch {
	case len(in.SubnetIDs) > maxSubnets:
		return eksInvalid("A cluster has at most %d subnets.", maxSubnets)
	case len(in.SecurityGroupIDs) > maxClusterSets:
		return eksInvalid("A cluster has at most %d security groups.", maxClusterSets)
	}
	for _, cidr := range in.PublicCIDRs {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			return eksInvalid("The CIDR %s is invalid in publicAccessCidrs.", cidr)
		}
	}
	return nil
}

// putCluster makes a cluster in a transaction.
func (i *Identity) putCluster(tx *store.Tx, c *authpolicy.Caller, in trellis.Cluster) (*trellis.Cluster, error) {
	account := c.Principal.Account
	_, err := store.Get[*trellis.Cluster](tx, account+"/"+in.ID)
	if err == nil {
		return nil, trellis.NewError(409, "ResourceInUseException", "Cluster already exists with name: %s", in.ID)
	}
	if !errors.Is(err, trellis.ErrNotExist) {
		return nil, err
	}
	have, err := store.Count[*trellis.Cluster](tx, account+"/")
	if err != nil {
		return nil, err
	}
	if have >= maxClusters {
		return nil, trellis.NewError(400, "ResourceLimitExceededException", "Cluster limit exceeded: an account has at most %d clusters.", maxClusters)
	}
	if _, err := eksRole(tx, c, in.RoleARN, "eks.amazonaws.com"); err != nil {
		return nil, err
	}
	n := in
	n.Account, n.CreatedAt, n.Tags = account, i.now(), maps.Clone(in.Tags)
	n.UpdatedAt = n.CreatedAt
	if err := inOneVPC(tx, &n); err != nil {
		return nil, err
	}
	if err := i.takeIssuer(tx, &n); err != nil {
		return nil, err
	}
	tx.Put(&n)
	return &n, nil
}

// takeIssuer gives a cluster the issuer that its tags name. A token names its issuer and nothing else that leads to the
// cluster, so an account has one cluster for each.
func (i *Identity) takeIssuer(tx *store.Tx, n *trellis.Cluster) error {
	issuer := n.Tags[IssuerTag]
	if err := checkIssuer(issuer, i.o.Strict); err != nil {
		return err
	}
	n.Thumbprints = strings.Fields(n.Tags[ThumbprintTag])
	for _, t := range n.Thumbprints {
		if !thumbprintForm.MatchString(t) {
			return eksInvalid("The tag %s must be SHA-1 thumbprints: 40 hexadecimal digits each, with spaces between them.", ThumbprintTag)
		}
	}
	names, err := tx.Marked(issuerSet(n.Account, issuer))
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != n.ID {
			return trellis.NewError(409, "ResourceInUseException", "The issuer %s is that of the cluster %s already.", issuer, name)
		}
	}
	if n.IssuerURL != "" {
		tx.Unmark(issuerSet(n.Account, n.IssuerURL), n.ID)
	}
	tx.Mark(issuerSet(n.Account, issuer), n.ID)
	n.IssuerURL = issuer
	return nil
}

// inOneVPC refuses subnets and security groups that don't exist in the account, or not in one VPC.
func inOneVPC(tx *store.Tx, n *trellis.Cluster) error {
	vpc := ""
	for _, id := range n.SubnetIDs {
		s, err := get[*trellis.Subnet](tx, n.Account+"/"+id, eksInvalid("The subnet ID '%s' does not exist", id))
		if err != nil {
			return err
		}
		if vpc != "" && s.VPCID != vpc {
			return eksInvalid("Subnets specified must be in the same VPC: %s", strings.Join(n.SubnetIDs, ", "))
		}
		vpc = s.VPCID
	}
	for _, id := range n.SecurityGroupIDs {
		g, err := get[*trellis.SecurityGroup](tx, n.Account+"/"+id, eksInvalid("The security group ID '%s' does not exist", id))
		if err != nil {
			return err
		}
		if g.VPCID != vpc {
			return eksInvalid("Security group(s) %s are not in the same VPC as the subnets.", id)
		}
	}
	return nil
}

// withVPC finds the VPC of a cluster by its subnets.
func withVPC(tx *store.Tx, n *trellis.Cluster) (*Cluster, error) {
	out := &Cluster{Cluster: n}
	for _, id := range n.SubnetIDs {
		s, err := store.Get[*trellis.Subnet](tx, n.Account+"/"+id)
		if errors.Is(err, trellis.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out.VPCID = s.VPCID
		break
	}
	return out, nil
}

// DescribeCluster returns a cluster of the caller's account.
func (i *Identity) DescribeCluster(ctx context.Context, c *authpolicy.Caller, name string) (*Cluster, error) {
	return i.ClusterFor(ctx, c, "eks:DescribeCluster", name)
}

// ClusterFor is DescribeCluster for another reading action of EKS about the cluster.
func (i *Identity) ClusterFor(ctx context.Context, c *authpolicy.Caller, action, name string) (found *Cluster, err error) {
	err = i.read(ctx, c, action, i.eksResource(c, "cluster/"+name), func(tx *store.Tx) error {
		n, err := get[*trellis.Cluster](tx, c.Principal.Account+"/"+name, noCluster(name))
		if err != nil {
			return err
		}
		found, err = withVPC(tx, n)
		return err
	})
	return found, err
}

// ListClusters returns the clusters of the caller's account, by name.
func (i *Identity) ListClusters(ctx context.Context, c *authpolicy.Caller) (clusters []*trellis.Cluster, err error) {
	err = i.read(ctx, c, "eks:ListClusters", "*", func(tx *store.Tx) error {
		clusters, err = store.List[*trellis.Cluster](tx, c.Principal.Account+"/")
		return err
	})
	return clusters, err
}

// DeleteCluster removes the record of a cluster and its associations, as EKS does: no pod of it gets credentials any
// more.
func (i *Identity) DeleteCluster(ctx context.Context, c *authpolicy.Caller, name string) (gone *Cluster, rev trellis.Revision, err error) {
	rev, err = i.commit(ctx, c, "eks:DeleteCluster", i.eksResource(c, "cluster/"+name), nil, func(tx *store.Tx) error {
		n, err := get[*trellis.Cluster](tx, c.Principal.Account+"/"+name, noCluster(name))
		if err != nil {
			return err
		}
		associations, err := store.List[*trellis.PodIdentityAssociation](tx, n.Key()+"/")
		if err != nil {
			return err
		}
		for _, a := range associations {
			dropAssociation(tx, a)
		}
		tx.Unmark(issuerSet(n.Account, n.IssuerURL), n.ID)
		tx.Delete(n)
		gone, err = withVPC(tx, n)
		return err
	})
	return gone, rev, err
}
