package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// What of the world speaks more than HTTP/1.1 in clear text.
const (
	webName    = "web.soak.test"    // of the service web, with a certificate that is swapped
	passedName = "passed.soak.test" // of the service whose TLS is passed through
	webPort    = 8092               // of its targets
	linesPort  = 8093               // of the target without HTTP
)

// webTargets are the targets of the service web.
var webTargets = []string{"w1", "w2"}

// speaking is what of the world churn changes there.
type speaking struct {
	certificate string   // ARN, of the service web
	groups      []string // of the service web: HTTP/1.1, HTTP/2, gRPC
	resource    string   // ARN of a resource configuration that leads to the target go
	lines       string   // name of the resource lines
}

// makeSpeaking makes the service web, which has HTTPS and targets of all versions, the one whose TLS is passed through, and two
// resources: the one that clients talk to, and the one that churn takes away.
func (w *world) makeSpeaking(ctx context.Context) error {
	ip := func(instance string) string { return w.instances[instance].ip }
	for _, version := range []string{"HTTP1", "HTTP2", "GRPC"} {
		g, err := w.d.call(ctx, accountA, "vpc-lattice CreateTargetGroup", in{"name": "web-" + strings.ToLower(version), "type": "IP", "config": in{"port": webPort, "protocol": "HTTP",
			"protocolVersion": version, "vpcIdentifier": w.vpcs["targets"].id, "healthCheck": in{"enabled": true, "path": "/healthz", "protocolVersion": "HTTP1",
				"healthCheckIntervalSeconds": 5, "healthCheckTimeoutSeconds": 4, "healthyThresholdCount": 2, "unhealthyThresholdCount": 2}}})
		if err != nil {
			return fmt.Errorf("target group: %w", err)
		}
		id := in{"targetGroupIdentifier": g.text("id")}
		if err := w.d.until(ctx, accountA, "vpc-lattice GetTargetGroup", id, isActive); err != nil {
			return err
		}
		w.speaking.groups = append(w.speaking.groups, g.text("id"))
		for _, at := range []string{"t-m1", "t-m2"} {
			if err := w.register(ctx, accountA, g.text("id"), ip(at), webPort); err != nil {
				return err
			}
		}
	}
	certificate, err := w.certificate(ctx)
	if err != nil {
		return err
	}
	w.speaking.certificate = certificate
	web, err := w.makeNamed(ctx, "web", in{"customDomainName": webName, "certificateArn": certificate}, "HTTPS", forward(w.speaking.groups[0], 100))
	if err != nil {
		return fmt.Errorf("service web: %w", err)
	}
	plain, err := w.d.call(ctx, accountA, "vpc-lattice CreateListener", in{"serviceIdentifier": web.id, "name": "http", "protocol": "HTTP", "port": 80, "defaultAction": forward(w.speaking.groups[0], 100)})
	if err != nil {
		return err
	}
	for _, listener := range []string{web.listener, plain.text("id")} {
		for i, prefix := range []string{"/two/", "/soak.Lines/"} {
			at := service{account: accountA, id: web.id, listener: listener}
			match := in{"httpMatch": in{"pathMatch": in{"match": in{"prefix": prefix}}}}
			if err := w.rule(ctx, &at, "to-"+fmt.Sprint(i), i+1, match, forward(w.speaking.groups[i+1], 100)); err != nil {
				return err
			}
		}
	}
	w.services["web"] = web

	g, err := w.d.call(ctx, accountA, "vpc-lattice CreateTargetGroup", in{"name": "passed", "type": "IP", "config": in{"port": linesPort, "protocol": "TCP", "vpcIdentifier": w.vpcs["targets"].id}})
	if err != nil {
		return err
	}
	if err := w.register(ctx, accountA, g.text("id"), ip("t-go"), linesPort); err != nil {
		return err
	}
	if w.services["passed"], err = w.makeNamed(ctx, "passed", in{"customDomainName": passedName}, "TLS_PASSTHROUGH", forward(g.text("id"), 100)); err != nil {
		return fmt.Errorf("service passed: %w", err)
	}
	return w.makeResources(ctx)
}

// makeNamed makes a service of the first network with a name of its own and one listener.
func (w *world) makeNamed(ctx context.Context, name string, more in, protocol string, action in) (*service, error) {
	more["name"] = name
	made, err := w.d.call(ctx, accountA, "vpc-lattice CreateService", more)
	if err != nil {
		return nil, err
	}
	s := &service{name: name, account: accountA, id: made.text("id"), arn: made.text("arn"), dns: made.text("dnsEntry.domainName")}
	if err := w.d.until(ctx, accountA, "vpc-lattice GetService", in{"serviceIdentifier": s.id}, isActive); err != nil {
		return nil, err
	}
	l, err := w.d.call(ctx, accountA, "vpc-lattice CreateListener", in{"serviceIdentifier": s.id, "name": "secure", "protocol": protocol, "port": 443, "defaultAction": action})
	if err != nil {
		return nil, err
	}
	s.listener = l.text("id")
	a, err := w.d.call(ctx, accountA, "vpc-lattice CreateServiceNetworkServiceAssociation", in{"serviceNetworkIdentifier": w.networkARN, "serviceIdentifier": s.id})
	if err != nil {
		return nil, err
	}
	return s, w.d.until(ctx, accountA, "vpc-lattice GetServiceNetworkServiceAssociation", in{"serviceNetworkServiceAssociationIdentifier": a.text("id")}, isActive)
}

// certificate asks the authority for a certificate of the service web, and waits for it.
func (w *world) certificate(ctx context.Context) (arn string, err error) {
	made, err := w.d.call(ctx, accountA, "acm RequestCertificate", in{"DomainName": webName})
	if err != nil {
		return "", err
	}
	arn = made.text("CertificateArn")
	return arn, w.d.until(ctx, accountA, "acm DescribeCertificate", in{"CertificateArn": arn}, func(a answer) bool { return a.text("Certificate.Status") == "ISSUED" })
}

// makeResources makes a gateway, the resource lines in the first network, and one that leads to the target go.
func (w *world) makeResources(ctx context.Context) error {
	v := w.vpcs["targets"]
	g, err := w.d.call(ctx, accountA, "vpc-lattice CreateResourceGateway", in{"name": "soak", "vpcIdentifier": v.id, "subnetIds": []any{v.subnet}, "securityGroupIds": []any{v.group}})
	if err != nil {
		return fmt.Errorf("resource gateway: %w", err)
	}
	if err := w.d.until(ctx, accountA, "vpc-lattice GetResourceGateway", in{"resourceGatewayIdentifier": g.text("id")}, isActive); err != nil {
		return err
	}
	for _, r := range []struct {
		name string
		port int
	}{{"lines", linesPort}, {"answers", 8080}} {
		c, err := w.d.call(ctx, accountA, "vpc-lattice CreateResourceConfiguration", in{"name": r.name, "type": "SINGLE", "resourceGatewayIdentifier": g.text("id"),
			"portRanges": []any{fmt.Sprint(r.port)}, "allowAssociationToShareableServiceNetwork": true,
			"resourceConfigurationDefinition": in{"ipResource": in{"ipAddress": w.instances["t-go"].ip}}})
		if err != nil {
			return fmt.Errorf("resource configuration: %w", err)
		}
		if err := w.d.until(ctx, accountA, "vpc-lattice GetResourceConfiguration", in{"resourceConfigurationIdentifier": c.text("id")}, isActive); err != nil {
			return err
		}
		w.speaking.resource = c.text("arn")
		if r.name == "lines" {
			if _, w.speaking.lines, err = w.offer(ctx, w.networkARN, c.text("arn")); err != nil {
				return fmt.Errorf("resource association: %w", err)
			}
		}
	}
	return nil
}

// offer associates a resource with a network, and returns the association and the resource's name there.
func (w *world) offer(ctx context.Context, network, resource string) (id, name string, err error) {
	made, err := w.d.call(ctx, accountA, "vpc-lattice CreateServiceNetworkResourceAssociation", in{"serviceNetworkIdentifier": network, "resourceConfigurationIdentifier": resource})
	if err != nil {
		return "", "", err
	}
	id = made.text("id")
	err = w.d.until(ctx, accountA, "vpc-lattice GetServiceNetworkResourceAssociation", in{"serviceNetworkResourceAssociationIdentifier": id}, func(a answer) bool {
		name = a.text("dnsEntry.domainName")
		return isActive(a)
	})
	return id, name, err
}

// removeSpeaking deletes resources with all that they have.
func (w *world) removeSpeaking(ctx context.Context, account string) error {
	gone := func(list, remove, get, key string) error {
		return w.each(ctx, account, "vpc-lattice "+list, "items", func(a answer) error {
			id := in{key: a.text("id")}
			if _, err := w.d.call(ctx, account, "vpc-lattice "+remove, id); err != nil && !absent(err) {
				return err
			}
			return w.untilGone(ctx, account, "vpc-lattice "+get, id)
		})
	}
	return errors.Join(
		w.each(ctx, account, "vpc-lattice ListResourceConfigurations", "items", func(c answer) error {
			found, err := w.d.call(ctx, account, "vpc-lattice ListServiceNetworkResourceAssociations", in{"resourceConfigurationIdentifier": c.text("id")})
			if err != nil {
				return err
			}
			for _, a := range found.list("items") {
				if err := w.withdraw(ctx, a.text("id")); err != nil {
					return err
				}
			}
			return nil
		}),
		gone("ListResourceConfigurations", "DeleteResourceConfiguration", "GetResourceConfiguration", "resourceConfigurationIdentifier"),
		gone("ListResourceGateways", "DeleteResourceGateway", "GetResourceGateway", "resourceGatewayIdentifier"))
}

// removeCertificates deletes certificates.
func (w *world) removeCertificates(ctx context.Context, account string) error {
	return w.each(ctx, account, "acm ListCertificates", "CertificateSummaryList", func(c answer) error {
		_, err := w.d.call(ctx, account, "acm DeleteCertificate", in{"CertificateArn": c.text("CertificateArn")})
		return err
	})
}

// withdraw undoes offer.
func (w *world) withdraw(ctx context.Context, association string) error {
	id := in{"serviceNetworkResourceAssociationIdentifier": association}
	if _, err := w.d.call(ctx, accountA, "vpc-lattice DeleteServiceNetworkResourceAssociation", id); err != nil {
		return err
	}
	return w.untilGone(ctx, accountA, "vpc-lattice GetServiceNetworkResourceAssociation", id)
}

// swapCertificate gives the service web another certificate and deletes the one that it had: nobody may notice.
func (c *churn) swapCertificate(ctx context.Context, _ *rand.Rand) error {
	next, err := c.w.certificate(ctx)
	if err != nil {
		return err
	}
	if _, err := c.w.d.call(ctx, accountA, "vpc-lattice UpdateService", in{"serviceIdentifier": c.w.services["web"].id, "certificateArn": next}); err != nil {
		return err
	}
	old := c.w.speaking.certificate
	c.w.speaking.certificate = next
	_, err = c.w.d.call(ctx, accountA, "acm DeleteCertificate", in{"CertificateArn": old})
	return err
}

// drainWeb takes a target out of the service web for some seconds: what it has begun goes on, and nothing new comes to it.
func (c *churn) drainWeb(ctx context.Context, rng *rand.Rand) error {
	target := in{"id": c.w.instances["t-m2"].ip, "port": webPort}
	set := func(operation, value string) error {
		return c.j.web.change(value, func() error {
			for _, g := range c.w.speaking.groups {
				out, err := c.w.d.call(ctx, accountA, "vpc-lattice "+operation, in{"targetGroupIdentifier": g, "targets": []any{target}})
				if failed := out.list("unsuccessful"); err == nil && len(failed) > 0 {
					err = fmt.Errorf("%s: %v", operation, failed)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := set("DeregisterTargets", webTargets[0]); err != nil {
		return err
	}
	time.Sleep(time.Duration(1+rng.IntN(4)) * time.Second)
	return set("RegisterTargets", strings.Join(webTargets, " "))
}

// resourceLife associates a resource with the second network, calls it, and takes it away.
func (c *churn) resourceLife(ctx context.Context, _ *rand.Rand) error {
	id, name, err := c.w.offer(ctx, c.w.second, c.w.speaking.resource)
	if err != nil {
		return err
	}
	host := name + ":8080"
	err = c.want("a new resource", host, answersGo)
	if failed := c.w.withdraw(ctx, id); failed != nil {
		return errors.Join(err, failed)
	}
	return errors.Join(err, c.want("a resource that was taken away", host, isAbsent))
}
