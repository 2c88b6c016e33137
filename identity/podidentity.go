package identity

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// PodIdentityService is the service that roles of pods trust (EKS user guide, pod-id-role).
const PodIdentityService = "pods.eks.amazonaws.com"

// The forms of names in Kubernetes (Kubernetes documentation, names): of namespaces, RFC 1123 labels, and of service
// accounts, RFC 1123 subdomains.
var (
	namespaceForm      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	serviceAccountForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

// noAssociation is for an association that a caller named.
func noAssociation(cluster, id string) *trellis.Error {
	return trellis.NewError(404, "ResourceNotFoundException", "No association %s found in the cluster %s.", id, cluster)
}

// associationSet is the set of the association of a service account, which has at most one member: its id.
func associationSet(account, cluster, namespace, serviceAccount string) string {
	return "podidentity/" + account + "/" + cluster + "/" + namespace + "/" + serviceAccount
}

// setOf is associationSet of an association.
func setOf(a *trellis.PodIdentityAssociation) string {
	return associationSet(a.Account, a.ClusterName, a.Namespace, a.ServiceAccount)
}

// dropAssociation removes an association.
func dropAssociation(tx *store.Tx, a *trellis.PodIdentityAssociation) {
	tx.Unmark(setOf(a), a.ID)
	tx.Delete(a)
}

// newAssociationID returns a- and 17 letters and digits.
func newAssociationID() string { return "a-" + lower(newID("", 17)) }

// CreatePodIdentityAssociation gives the pods of a service account a role, out of the cluster's name, namespace, service
// account, roles, session policy and tags. Neither namespace nor service account need exist.
func (i *Identity) CreatePodIdentityAssociation(ctx context.Context, c *authpolicy.Caller, token string, in trellis.PodIdentityAssociation) (made *trellis.PodIdentityAssociation, rev trellis.Revision, err error) {
	account := c.Principal.Account
	switch {
	case !namespaceForm.MatchString(in.Namespace):
		return nil, 0, eksInvalid("The namespace %q is not the name of a namespace: at most 63 small letters, digits and hyphens.", in.Namespace)
	case len(in.ServiceAccount) > 253 || !serviceAccountForm.MatchString(in.ServiceAccount):
		return nil, 0, eksInvalid("The service account %q is not the name of a service account: at most 253 small letters, digits, hyphens and dots.", in.ServiceAccount)
	}
	if err := eksTags("InvalidParameterException", in.Tags); err != nil {
		return nil, 0, err
	}
	rev, err = i.commit(ctx, c, "eks:CreatePodIdentityAssociation", i.eksResource(c, "cluster/"+in.ClusterName), authpolicy.TagKeys(nil, in.Tags, nil), func(tx *store.Tx) error {
		made, err = store.Once(tx, account+"/CreatePodIdentityAssociation", token, in, func() (*trellis.PodIdentityAssociation, error) {
			return i.putAssociation(tx, c, in)
		})
		return err
	})
	return made, rev, tokenReused(err)
}

// putAssociation makes an association in a transaction.
func (i *Identity) putAssociation(tx *store.Tx, c *authpolicy.Caller, in trellis.PodIdentityAssociation) (*trellis.PodIdentityAssociation, error) {
	n := in
	n.Account, n.ID, n.CreatedAt, n.Tags = c.Principal.Account, newAssociationID(), i.now(), maps.Clone(in.Tags)
	n.UpdatedAt = n.CreatedAt
	cluster := n.Account + "/" + n.ClusterName
	if _, err := get[*trellis.Cluster](tx, cluster, noCluster(n.ClusterName)); err != nil {
		return nil, err
	}
	taken, err := tx.Marked(setOf(&n))
	if err != nil {
		return nil, err
	}
	if len(taken) > 0 {
		return nil, trellis.NewError(409, "ResourceInUseException", "Association already exists: %s", taken[0])
	}
	have, err := store.Count[*trellis.PodIdentityAssociation](tx, cluster+"/")
	if err != nil {
		return nil, err
	}
	if have >= maxAssociations {
		return nil, trellis.NewError(400, "ResourceLimitExceededException", "A cluster has at most %d pod identity associations.", maxAssociations)
	}
	if err := settleAssociation(tx, c, &n, true); err != nil {
		return nil, err
	}
	tx.Mark(setOf(&n), n.ID)
	tx.Put(&n)
	return &n, nil
}

// settleAssociation refuses roles and a session policy that an association can't have, and gives it an external id while
// it has a target role. passed says that the role is named anew.
func settleAssociation(tx *store.Tx, c *authpolicy.Caller, n *trellis.PodIdentityAssociation, passed bool) error {
	if passed {
		r, err := eksRole(tx, c, n.RoleARN, PodIdentityService)
		if err != nil {
			return err
		}
		if !TrustsService(r.TrustPolicy, PodIdentityService, "sts:assumerole", "sts:tagsession") {
			return eksInvalid("Trust policy of the role provided is invalid: it must allow %s sts:AssumeRole and sts:TagSession.", PodIdentityService)
		}
	}
	if n.TargetRoleARN == "" {
		n.ExternalID = ""
	} else {
		if !isRoleARN(n.TargetRoleARN) {
			return eksInvalid("%s is not the ARN of a role.", n.TargetRoleARN)
		}
		if n.ExternalID == "" {
			n.ExternalID = trellis.NewUUID()
		}
	}
	if n.Policy == "" {
		return nil
	}
	if !n.DisableSessionTags {
		return eksInvalid("A policy needs disableSessionTags: session tags must be disabled to use it.")
	}
	if len(n.Policy) > maxSessionPolicy {
		return eksInvalid("The policy has more than %d characters.", maxSessionPolicy)
	}
	if _, err := authpolicy.Parse(n.Policy, authpolicy.Session); err != nil {
		return eksInvalid("The policy is invalid: %s", err)
	}
	return nil
}

// TrustsService tells whether a trust policy has statements that allow a service of AWS some actions, which are in lower
// case, whatever their conditions: those speak of requests that are not known yet.
func TrustsService(trust, service string, actions ...string) bool {
	var doc struct{ Statement oneOrMore[trustStatement] }
	if json.Unmarshal([]byte(trust), &doc) != nil {
		return false
	}
	for _, action := range actions {
		if !slices.ContainsFunc(doc.Statement, func(s trustStatement) bool { return s.allows(service, action) }) {
			return false
		}
	}
	return true
}

// trustStatement is what TrustsService reads of a statement.
type trustStatement struct {
	Effect    string
	Principal json.RawMessage
	Action    oneOrMore[string]
}

// allows tells whether the statement allows a service an action, which is in lower case.
func (s trustStatement) allows(service, action string) bool {
	var who struct{ Service oneOrMore[string] }
	if s.Effect != "Allow" || json.Unmarshal(s.Principal, &who) != nil || !slices.Contains(who.Service, service) {
		return false
	}
	return slices.ContainsFunc(s.Action, func(pattern string) bool {
		begin, wild := strings.CutSuffix(lower(pattern), "*")
		return lower(pattern) == action || wild && strings.HasPrefix(action, begin)
	})
}

// oneOrMore is a member of a policy that is a list, or its only element.
type oneOrMore[T any] []T

// UnmarshalJSON reads either form.
func (l *oneOrMore[T]) UnmarshalJSON(b []byte) error {
	var list []T
	if json.Unmarshal(b, &list) == nil {
		*l = list
		return nil
	}
	var one T
	err := json.Unmarshal(b, &one)
	*l = []T{one}
	return err
}

// associationOf reads an association of a cluster of the caller's account.
func associationOf(tx *store.Tx, c *authpolicy.Caller, cluster, id string) (*trellis.PodIdentityAssociation, error) {
	if _, err := get[*trellis.Cluster](tx, c.Principal.Account+"/"+cluster, noCluster(cluster)); err != nil {
		return nil, err
	}
	return get[*trellis.PodIdentityAssociation](tx, c.Principal.Account+"/"+cluster+"/"+id, noAssociation(cluster, id))
}

// DescribePodIdentityAssociation returns an association.
func (i *Identity) DescribePodIdentityAssociation(ctx context.Context, c *authpolicy.Caller, cluster, id string) (a *trellis.PodIdentityAssociation, err error) {
	err = i.read(ctx, c, "eks:DescribePodIdentityAssociation", i.eksResource(c, "podidentityassociation/"+cluster+"/"+id), func(tx *store.Tx) error {
		a, err = associationOf(tx, c, cluster, id)
		return err
	})
	return a, err
}

// ListPodIdentityAssociations returns the associations of a cluster, or those of a namespace or service account alone.
func (i *Identity) ListPodIdentityAssociations(ctx context.Context, c *authpolicy.Caller, cluster, namespace, serviceAccount string) (all []*trellis.PodIdentityAssociation, err error) {
	key := c.Principal.Account + "/" + cluster
	err = i.read(ctx, c, "eks:ListPodIdentityAssociations", i.eksResource(c, "cluster/"+cluster), func(tx *store.Tx) error {
		if _, err := get[*trellis.Cluster](tx, key, noCluster(cluster)); err != nil {
			return err
		}
		all, err = store.List[*trellis.PodIdentityAssociation](tx, key+"/")
		return err
	})
	return slices.DeleteFunc(all, func(a *trellis.PodIdentityAssociation) bool {
		return namespace != "" && a.Namespace != namespace || serviceAccount != "" && a.ServiceAccount != serviceAccount
	}), err
}

// AssociationChange is what UpdatePodIdentityAssociation changes; nil leaves a member as it was.
type AssociationChange struct {
	RoleARN            *string
	TargetRoleARN      *string // empty: none any more
	DisableSessionTags *bool
	Policy             *string // empty: none any more
}

// UpdatePodIdentityAssociation changes the roles, session tags or session policy of an association. Credentials that
// pods have already stay as they are.
func (i *Identity) UpdatePodIdentityAssociation(ctx context.Context, c *authpolicy.Caller, cluster, id string, change AssociationChange) (a *trellis.PodIdentityAssociation, rev trellis.Revision, err error) {
	if change == (AssociationChange{}) {
		return nil, 0, eksInvalid("An update must change the role, the target role, the session tags or the policy.")
	}
	rev, err = i.commit(ctx, c, "eks:UpdatePodIdentityAssociation", i.eksResource(c, "podidentityassociation/"+cluster+"/"+id), nil, func(tx *store.Tx) error {
		if a, err = associationOf(tx, c, cluster, id); err != nil {
			return err
		}
		set(&a.RoleARN, change.RoleARN)
		set(&a.TargetRoleARN, change.TargetRoleARN)
		set(&a.DisableSessionTags, change.DisableSessionTags)
		set(&a.Policy, change.Policy)
		if err := settleAssociation(tx, c, a, change.RoleARN != nil); err != nil {
			return err
		}
		a.UpdatedAt = i.now()
		tx.Put(a)
		return nil
	})
	return a, rev, err
}

// set sets a member when there is a new value.
func set[T any](member *T, to *T) {
	if to != nil {
		*member = *to
	}
}

// DeletePodIdentityAssociation removes an association: no pod gets credentials by it any more.
func (i *Identity) DeletePodIdentityAssociation(ctx context.Context, c *authpolicy.Caller, cluster, id string) (a *trellis.PodIdentityAssociation, rev trellis.Revision, err error) {
	rev, err = i.commit(ctx, c, "eks:DeletePodIdentityAssociation", i.eksResource(c, "podidentityassociation/"+cluster+"/"+id), nil, func(tx *store.Tx) error {
		if a, err = associationOf(tx, c, cluster, id); err != nil {
			return err
		}
		dropAssociation(tx, a)
		return nil
	})
	return a, rev, err
}
