package elbv2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/loadbalancer"
)

// listener is a listener as the wire has it.
func (h *handler) listener(n *trellis.LoadBalancerListener) Listener {
	balancer := trellis.LoadBalancer{Meta: trellis.Meta{Account: n.Account, ID: n.LoadBalancerID()}}
	w := Listener{AlpnPolicy: n.ALPNPolicy, DefaultActions: api.Each(n.DefaultActions, action), ListenerArn: new(n.ARN(h.balancers.Region)),
		LoadBalancerArn: new(balancer.ARN(h.balancers.Region)), Port: new(int32(n.Port)), Protocol: &n.Protocol, SslPolicy: api.Some(n.SSLPolicy)}
	if len(n.CertificateARNs) > 0 {
		w.Certificates = []Certificate{{CertificateArn: &n.CertificateARNs[0]}}
	}
	if n.MutualTLS != "" {
		w.MutualAuthentication = &MutualAuthenticationAttributes{Mode: &n.MutualTLS}
	}
	return w
}

// certificates are the ARNs of certificates of a request.
func certificates(list []Certificate) (arns []string) {
	for _, c := range list {
		arns = append(arns, api.Value(c.CertificateArn))
	}
	return arns
}

// mutual reads what a request says of clients' certificates.
func mutual(in *loadbalancer.ListenerSpec, m *MutualAuthenticationAttributes) {
	if m != nil {
		in.MutualTLS, in.TrustStore = api.Value(m.Mode), api.Value(m.TrustStoreArn)
	}
}

// createListener serves CreateListener.
func (h *handler) createListener(ctx context.Context, c *api.Call, in *CreateListenerInput) (*CreateListenerOutput, error) {
	tags, err := fromTags(in.Tags)
	if err != nil {
		return nil, err
	}
	acts, err := actions(in.DefaultActions)
	if err != nil {
		return nil, err
	}
	spec := loadbalancer.ListenerSpec{Port: int(api.Value(in.Port)), Protocol: api.Value(in.Protocol), CertificateARNs: certificates(in.Certificates),
		SSLPolicy: api.Value(in.SslPolicy), ALPNPolicy: in.AlpnPolicy, Actions: acts, Tags: tags}
	mutual(&spec, in.MutualAuthentication)
	n, rev, err := h.balancers.CreateListener(ctx, c.Caller, in.LoadBalancerArn, spec)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateListenerOutput{Listeners: []Listener{h.listener(n)}}, rev, nil)
}

// describeListeners serves DescribeListeners.
func (h *handler) describeListeners(ctx context.Context, c *api.Call, in *DescribeListenersInput) (*DescribeListenersOutput, error) {
	all, err := h.balancers.Listeners(ctx, c.Caller, loadbalancer.Filter{ARNs: in.ListenerArns, Of: api.Value(in.LoadBalancerArn)})
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, (*trellis.LoadBalancerListener).Key, in.PageSize, in.Marker)
	return &DescribeListenersOutput{NextMarker: next, Listeners: api.Each(all, h.listener)}, err
}

// modifyListener serves ModifyListener.
func (h *handler) modifyListener(ctx context.Context, c *api.Call, in *ModifyListenerInput) (*ModifyListenerOutput, error) {
	acts, err := actions(in.DefaultActions)
	if err != nil {
		return nil, err
	}
	spec := loadbalancer.ListenerSpec{Port: int(api.Value(in.Port)), Protocol: api.Value(in.Protocol), CertificateARNs: certificates(in.Certificates),
		SSLPolicy: api.Value(in.SslPolicy), ALPNPolicy: in.AlpnPolicy, Actions: acts}
	mutual(&spec, in.MutualAuthentication)
	n, rev, err := h.balancers.ModifyListener(ctx, c.Caller, in.ListenerArn, spec)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ModifyListenerOutput{Listeners: []Listener{h.listener(n)}}, rev, nil)
}

// deleteListener serves DeleteListener.
func (h *handler) deleteListener(ctx context.Context, c *api.Call, in *DeleteListenerInput) (*DeleteListenerOutput, error) {
	rev, err := h.balancers.DeleteListener(ctx, c.Caller, in.ListenerArn)
	return api.Done(c, &DeleteListenerOutput{}, rev, err)
}

// addListenerCertificates serves AddListenerCertificates.
func (h *handler) addListenerCertificates(ctx context.Context, c *api.Call, in *AddListenerCertificatesInput) (*AddListenerCertificatesOutput, error) {
	rev, err := h.balancers.AddCertificates(ctx, c.Caller, in.ListenerArn, certificates(in.Certificates))
	return api.Done(c, &AddListenerCertificatesOutput{Certificates: api.Each(in.Certificates, func(w Certificate) Certificate {
		return Certificate{CertificateArn: w.CertificateArn, IsDefault: new(false)}
	})}, rev, err)
}

// removeListenerCertificates serves RemoveListenerCertificates.
func (h *handler) removeListenerCertificates(ctx context.Context, c *api.Call, in *RemoveListenerCertificatesInput) (*RemoveListenerCertificatesOutput, error) {
	rev, err := h.balancers.RemoveCertificates(ctx, c.Caller, in.ListenerArn, certificates(in.Certificates))
	return api.Done(c, &RemoveListenerCertificatesOutput{}, rev, err)
}

// describeListenerCertificates serves DescribeListenerCertificates.
func (h *handler) describeListenerCertificates(ctx context.Context, c *api.Call, in *DescribeListenerCertificatesInput) (*DescribeListenerCertificatesOutput, error) {
	n, err := h.balancers.Listener(ctx, c.Caller, "DescribeListenerCertificates", in.ListenerArn)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, n.CertificateARNs, func(arn string) string { return arn }, in.PageSize, in.Marker)
	return &DescribeListenerCertificatesOutput{NextMarker: next, Certificates: api.Each(all, func(arn string) Certificate {
		return Certificate{CertificateArn: &arn, IsDefault: new(arn == n.CertificateARNs[0])}
	})}, err
}

// listenerAttribute is an attribute as the wire has it.
func listenerAttribute(a loadbalancer.Attribute) ListenerAttribute {
	return ListenerAttribute{Key: &a.Key, Value: &a.Value}
}

// describeListenerAttributes serves DescribeListenerAttributes.
func (h *handler) describeListenerAttributes(ctx context.Context, c *api.Call, in *DescribeListenerAttributesInput) (*DescribeListenerAttributesOutput, error) {
	all, err := h.balancers.ListenerAttributes(ctx, c.Caller, in.ListenerArn)
	return &DescribeListenerAttributesOutput{Attributes: api.Each(all, listenerAttribute)}, err
}

// modifyListenerAttributes serves ModifyListenerAttributes.
func (h *handler) modifyListenerAttributes(ctx context.Context, c *api.Call, in *ModifyListenerAttributesInput) (*ModifyListenerAttributesOutput, error) {
	change := map[string]string{}
	for _, a := range in.Attributes {
		change[api.Value(a.Key)] = api.Value(a.Value)
	}
	all, rev, err := h.balancers.SetListenerAttributes(ctx, c.Caller, in.ListenerArn, change)
	return api.Done(c, &ModifyListenerAttributesOutput{Attributes: api.Each(all, listenerAttribute)}, rev, err)
}
