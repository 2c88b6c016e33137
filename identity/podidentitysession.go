package identity

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// PodSession is a session that Pod Identity made for a pod (EKS Auth API reference, AssumeRoleForPodIdentity).
type PodSession struct {
	*Credentials
	Association *trellis.PodIdentityAssociation
}

// podToken is EKS Auth's error for a token that is not to be believed, or not a pod's.
func podToken(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "InvalidTokenException", format, args...)
}

// podClaims are the claims of a service account's token that is bound to a pod (Kubernetes documentation,
// service-accounts-admin, "Bound service account tokens").
type podClaims struct {
	Kubernetes struct {
		Namespace      string   `json:"namespace"`
		Pod            namedUID `json:"pod"`
		ServiceAccount namedUID `json:"serviceaccount"`
	} `json:"kubernetes.io"`
}

// namedUID is how a token names an object of Kubernetes.
type namedUID struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// readPod reads whose pod a verified token is. The subject must say the same of the service account.
func readPod(t *webToken) (*podClaims, error) {
	text, err := json.Marshal(t.claims)
	if err != nil {
		return nil, err
	}
	c := new(podClaims)
	if json.Unmarshal(text, c) != nil {
		return nil, podToken("The token included in the request has no claim kubernetes.io as Kubernetes makes it.")
	}
	k := &c.Kubernetes
	for _, claim := range []struct{ name, value string }{{"namespace", k.Namespace}, {"pod/name", k.Pod.Name}, {"pod/uid", k.Pod.UID},
		{"serviceaccount/name", k.ServiceAccount.Name}, {"serviceaccount/uid", k.ServiceAccount.UID}} {
		if claim.value == "" || len(claim.value) > 256 {
			return nil, podToken("The token included in the request has no claim kubernetes.io/%s: it is not bound to a pod.", claim.name)
		}
	}
	if t.Subject != "system:serviceaccount:"+k.Namespace+":"+k.ServiceAccount.Name {
		return nil, podToken("The subject of the token included in the request is not the service account that it names.")
	}
	return c, nil
}

// AssumeRoleForPodIdentity makes a session of the role that a service account of a cluster of the caller's account is
// associated with, for the pod whose token that is. The token must be the cluster's, for the audience
// pods.eks.amazonaws.com.
func (i *Identity) AssumeRoleForPodIdentity(ctx context.Context, c *authpolicy.Caller, cluster, token string) (*PodSession, error) {
	var n *trellis.Cluster
	err := i.read(ctx, c, "eks-auth:AssumeRoleForPodIdentity", i.eksResource(c, "cluster/"+cluster), func(tx *store.Tx) (err error) {
		n, err = get[*trellis.Cluster](tx, c.Principal.Account+"/"+cluster, noCluster(cluster))
		return err
	})
	if err != nil {
		return nil, err
	}
	return i.podSession(ctx, n, token)
}

// AgentSession is AssumeRoleForPodIdentity for the agent in the VPCs of an account, which is told no cluster: it is the
// account's one with the token's issuer.
func (i *Identity) AgentSession(ctx context.Context, account, token string) (*PodSession, error) {
	t, err := parseToken(token)
	if err != nil {
		return nil, podError(err)
	}
	var n *trellis.Cluster
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		names, err := tx.Marked(issuerSet(account, t.Issuer))
		if err != nil {
			return err
		}
		if len(names) == 0 {
			return trellis.NewError(404, "ResourceNotFoundException", "No cluster found for the issuer %s.", printable(t.Issuer))
		}
		n, err = store.Get[*trellis.Cluster](tx, account+"/"+names[0])
		return err
	})
	if err != nil {
		return nil, err
	}
	return i.podSession(ctx, n, token)
}

// podSession makes the session for a pod of a cluster.
func (i *Identity) podSession(ctx context.Context, n *trellis.Cluster, token string) (*PodSession, error) {
	if err := checkIssuer(n.IssuerURL, i.o.Strict); err != nil { // it was made in another mode
		return nil, err
	}
	t, err := i.verifyToken(ctx, token, &trellis.OIDCProvider{Meta: trellis.Meta{Account: n.Account, ID: n.IssuerURL}, URL: n.IssuerURL,
		ClientIDs: []string{PodIdentityService}, Thumbprints: n.Thumbprints})
	if err != nil {
		return nil, podError(err)
	}
	pod, err := readPod(t)
	if err != nil {
		return nil, err
	}
	a, err := i.associationFor(ctx, n, pod)
	if err != nil {
		return nil, err
	}
	s, err := i.assumeForPod(ctx, n, a, pod)
	if err != nil {
		return nil, i.notAssumed(err, a)
	}
	return &PodSession{s, a}, nil
}

// podError gives what STS says of tokens the codes of EKS Auth.
func podError(err error) error {
	e, ok := errors.AsType[*trellis.Error](err)
	if !ok {
		return err
	}
	switch e.Code {
	case "ExpiredTokenException":
		return trellis.NewError(400, e.Code, "The token included in the request is expired: %s", strings.TrimPrefix(e.Message, "Token expired: "))
	case "IDPCommunicationError":
		return trellis.NewError(503, "ServiceUnavailableException", "The issuer of the token included in the request could not be reached.")
	}
	return podToken("The token included in the request is not valid: %s", e.Message)
}

// associationFor finds the association of a pod's service account.
func (i *Identity) associationFor(ctx context.Context, n *trellis.Cluster, pod *podClaims) (a *trellis.PodIdentityAssociation, err error) {
	namespace, name := pod.Kubernetes.Namespace, pod.Kubernetes.ServiceAccount.Name
	err = i.o.Store.Read(ctx, func(tx *store.Tx) error {
		ids, err := tx.Marked(associationSet(n.Account, n.ID, namespace, name))
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return trellis.NewError(404, "ResourceNotFoundException", "No association found for the service account %s in the namespace %s of the cluster %s.",
				printable(name), printable(namespace), n.ID)
		}
		a, err = store.Get[*trellis.PodIdentityAssociation](tx, n.Key()+"/"+ids[0])
		return err
	})
	return a, err
}

// podTags are the tags of a pod's session (EKS user guide, pod-id-abac).
func (i *Identity) podTags(n *trellis.Cluster, pod *podClaims) map[string]string {
	k := &pod.Kubernetes
	return map[string]string{"eks-cluster-arn": n.ARN(i.o.Region), "eks-cluster-name": n.ID, "kubernetes-namespace": k.Namespace,
		"kubernetes-service-account": k.ServiceAccount.Name, "kubernetes-pod-name": k.Pod.Name, "kubernetes-pod-uid": k.Pod.UID}
}

// podSessionName is eks-CLUSTER-POD-UUID (EKS Auth API reference, AssumedRoleUser), cut to the 64 characters of a name.
func podSessionName(cluster, pod string) string {
	name := "eks-" + cluster + "-" + pod + "-" + trellis.NewUUID()
	return name[:min(len(name), 64)]
}

// assumeForPod assumes the association's role and, with it, the target role if there is one. Session tags go on to that,
// and a session policy bounds the last of the two (EKS API reference, CreatePodIdentityAssociation).
func (i *Identity) assumeForPod(ctx context.Context, n *trellis.Cluster, a *trellis.PodIdentityAssociation, pod *podClaims) (*Credentials, error) {
	ask := ServiceSession{RoleARN: a.RoleARN, Service: PodIdentityService, SessionName: podSessionName(n.ID, pod.Kubernetes.Pod.Name),
		Context: map[string][]string{"aws:sourcearn": {n.ARN(i.o.Region)}, "aws:sourceaccount": {n.Account}}}
	if !a.DisableSessionTags {
		ask.Tags = i.podTags(n, pod)
		ask.TransitiveTags = slices.Sorted(maps.Keys(ask.Tags))
	}
	if a.TargetRoleARN == "" {
		ask.Policy = a.Policy
		return i.SessionForService(ctx, ask)
	}
	d, err := i.directory()
	if err != nil {
		return nil, err
	}
	first, err := d.ServiceCaller(ask)
	if err != nil {
		return nil, err
	}
	return i.AssumeRole(ctx, first, AssumeRole{RoleARN: a.TargetRoleARN, SessionName: ask.SessionName, ExternalID: a.ExternalID, Policy: a.Policy})
}

// notAssumed gives what STS says of roles the codes of EKS Auth, and logs what they hide.
func (i *Identity) notAssumed(err error, a *trellis.PodIdentityAssociation) error {
	e, ok := errors.AsType[*trellis.Error](err)
	if !ok || e.Status >= 500 {
		return err
	}
	i.o.Log.Info("no session for a pod", "association", a.Key(), "role", a.RoleARN, "target_role", a.TargetRoleARN, "error", err)
	if e.Code == "AccessDenied" {
		return trellis.NewError(400, "AccessDeniedException", "Unauthorized Exception! EKS does not have permissions to assume the associated role.")
	}
	return trellis.NewError(400, "InvalidRequestException", "%s", e.Message)
}
