package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/trellis-project/trellis"
)

// What the world is made of.
const (
	region     = "eu-west-1"
	accountA   = "444455556666" // owns the service networks, most services, VPCs targets and clients
	accountB   = "333344445555" // owns VPC other, whose CIDR is that of targets, and the service other
	clientRole = "soak-client"  // of instances with signing clients, in both accounts
)

// in is an operation's input.
type in = map[string]any

// vpcNoun is a VPC with one subnet and one security group, which targets and clients share.
type vpcNoun struct {
	account, id, subnet, group string
	cidr, block6               string
}

// instance is a running instance.
type instance struct {
	name, id, account string
	ip, ip6           string
}

// service is a VPC Lattice service with its listener on port 80.
type service struct {
	name, account string
	id, arn, dns  string
	listener      string
	groups        map[string]string // target groups: name of the target → id
	signed        bool              // auth type AWS_IAM
	responders    []string          // targets that may answer when nothing else says who
	associationID string            // with the last network that it was put into
}

// world is all that is made at the start and stays until the end. Churn makes and removes more beside it.
type world struct {
	d              *daemon
	vpcs           map[string]*vpcNoun
	instances      map[string]*instance
	services       map[string]*service
	network        string // id
	networkARN     string
	second         string // a second network of VPC clients
	clientsSecond  string // the association of VPC clients with it
	wants          []string
	deregisterable string // id of the group of the service members
	speaking       speaking
}

// forward is an action.
func forward(groups ...any) in {
	var list []any
	for i := 0; i < len(groups); i += 2 {
		list = append(list, in{"targetGroupIdentifier": groups[i], "weight": groups[i+1]})
	}
	return in{"forward": in{"targetGroups": list}}
}

// fixed is an action that answers by itself.
func fixed(status int) in { return in{"fixedResponse": in{"statusCode": status}} }

// document is a policy as the API takes it.
func document(statements ...any) string {
	b, _ := json.Marshal(in{"Version": "2012-10-17", "Statement": statements}) // maps of texts can't fail
	return string(b)
}

// allow is an auth policy that lets both accounts' clients in.
func allow() string {
	return document(in{"Effect": "Allow", "Principal": in{"AWS": []any{"arn:aws:iam::" + accountA + ":role/" + clientRole, "arn:aws:iam::" + accountB + ":role/" + clientRole}},
		"Action": "vpc-lattice-svcs:Invoke", "Resource": "*"})
}

// deny is an auth policy that lets nobody in.
func deny() string {
	return document(in{"Effect": "Deny", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"})
}

// makeWorld makes the world through the API, in accounts that are there. started is called as soon as there are
// instances, so that targets run before they are registered and checked.
func makeWorld(ctx context.Context, d *daemon, targets []*target, started func(*world) error) (*world, error) {
	w := &world{d: d, vpcs: map[string]*vpcNoun{}, instances: map[string]*instance{}, services: map[string]*service{}}
	if err := w.makeVPCs(ctx); err != nil {
		return w, err
	}
	if err := w.makeInstances(ctx, targets); err != nil {
		return w, err
	}
	if err := started(w); err != nil {
		return w, err
	}
	if err := w.makeNetworks(ctx); err != nil {
		return w, err
	}
	if err := w.makeServices(ctx, targets); err != nil {
		return w, err
	}
	return w, w.makeSpeaking(ctx)
}

// makeAccounts makes an organization of two accounts, each with a role for clients.
func (w *world) makeAccounts(ctx context.Context) error {
	if _, err := w.d.call(ctx, "", "organizations CreateOrganization", in{"FeatureSet": "ALL"}); err != nil {
		return err
	}
	if _, err := w.d.call(ctx, "", "ram EnableSharingWithAwsOrganization", nil); err != nil {
		return err
	}
	for _, id := range []string{accountA, accountB} {
		if _, err := w.d.call(ctx, "", "organizations CreateAccount", in{"AccountName": "soak-" + id[:4], "Email": "soak-" + id + "@example.com",
			"Tags": []any{in{"Key": "trellis:account-id", "Value": id}}}); err != nil {
			return err
		}
		active := func(a answer) bool {
			for _, account := range a.list("Accounts") {
				if account.text("Id") == id {
					return account.text("Status") == "ACTIVE"
				}
			}
			return false
		}
		if err := w.d.until(ctx, "", "organizations ListAccounts", nil, active); err != nil {
			return err
		}
		if _, err := w.d.call(ctx, id, "iam CreateRole", in{"RoleName": clientRole, "AssumeRolePolicyDocument": document(
			in{"Effect": "Allow", "Principal": in{"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})}); err != nil {
			return err
		}
		if _, err := w.d.call(ctx, id, "iam PutRolePolicy", in{"RoleName": clientRole, "PolicyName": "invoke", "PolicyDocument": document(
			in{"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"})}); err != nil {
			return err
		}
	}
	return nil
}

// makeVPC makes a VPC with a subnet and a security group that lets in what the others send.
func (w *world) makeVPC(ctx context.Context, account, cidr string) (*vpcNoun, error) {
	made, err := w.d.call(ctx, account, "ec2 CreateVpc", in{"CidrBlock": cidr, "AmazonProvidedIpv6CidrBlock": true})
	if err != nil {
		return nil, err
	}
	v := &vpcNoun{account: account, id: made.text("Vpc.VpcId"), cidr: cidr, block6: made.text("Vpc.Ipv6CidrBlockAssociationSet.0.Ipv6CidrBlock")}
	sub, err := w.d.call(ctx, account, "ec2 CreateSubnet", in{"VpcId": v.id, "CidrBlock": strings.Replace(cidr, "0.0/16", "1.0/24", 1),
		"Ipv6CidrBlock": strings.Replace(v.block6, "/56", "/64", 1)})
	if err != nil {
		return v, err
	}
	v.subnet = sub.text("Subnet.SubnetId")
	group, err := w.d.call(ctx, account, "ec2 CreateSecurityGroup", in{"VpcId": v.id, "GroupName": "soak", "Description": "targets and clients"})
	if err != nil {
		return v, err
	}
	v.group = group.text("GroupId")
	// Targets: what comes from VPC Lattice, and from the resource gateway. Clients, as the association's group: HTTP, TLS, resources,
	// and the listeners that churn makes.
	open := func(from, to int, v4, v6 string) in {
		return in{"IpProtocol": "tcp", "FromPort": from, "ToPort": to, "IpRanges": []any{in{"CidrIp": v4}}, "Ipv6Ranges": []any{in{"CidrIpv6": v6}}}
	}
	_, err = w.d.call(ctx, account, "ec2 AuthorizeSecurityGroupIngress", in{"GroupId": v.group, "IpPermissions": []any{
		open(8080, 8099, trellis.LatticeBlock4.String(), trellis.LatticeBlock6.String()),
		open(80, 80, cidr, v.block6), open(443, 443, cidr, v.block6), open(8080, 8099, cidr, v.block6), open(churnPort, churnPort+99, cidr, v.block6)}})
	return v, err
}

// makeVPCs makes the three VPCs. The first and the last have the same CIDR.
func (w *world) makeVPCs(ctx context.Context) (err error) {
	for _, v := range []struct{ name, account, cidr string }{
		{"targets", accountA, "10.0.0.0/16"}, {"clients", accountA, "10.1.0.0/16"}, {"other", accountB, "10.0.0.0/16"},
	} {
		if w.vpcs[v.name], err = w.makeVPC(ctx, v.account, v.cidr); err != nil {
			return fmt.Errorf("VPC %s: %w", v.name, err)
		}
	}
	return nil
}

// makeInstance runs an instance and waits until it does. ip may be empty.
func (w *world) makeInstance(ctx context.Context, name, vpcName, ip string) (*instance, error) {
	v := w.vpcs[vpcName]
	input := in{"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "SubnetId": v.subnet, "Ipv6AddressCount": 1,
		"SecurityGroupIds": []any{v.group}, "IamInstanceProfile": in{"Name": clientRole},
		"TagSpecifications": []any{in{"ResourceType": "instance", "Tags": []any{in{"Key": "Name", "Value": name}}}}}
	if ip != "" {
		input["PrivateIpAddress"] = ip
	}
	made, err := w.d.call(ctx, v.account, "ec2 RunInstances", input)
	if err != nil {
		return nil, err
	}
	i := &instance{name: name, account: v.account, id: made.text("Instances.0.InstanceId"), ip: made.text("Instances.0.PrivateIpAddress"),
		ip6: made.text("Instances.0.Ipv6Address")}
	return i, w.d.until(ctx, v.account, "ec2 DescribeInstances", in{"InstanceIds": []any{i.id}}, func(a answer) bool {
		return answer(a.list("Reservations")[0]).text("Instances.0.State.Name") == "running"
	})
}

// makeInstances makes the instances of those targets that can run, and of clients. The target in VPC other has the very
// address of one in VPC targets.
func (w *world) makeInstances(ctx context.Context, targets []*target) (err error) {
	var mu sync.Mutex // guards what is made, all at once
	var all sync.WaitGroup
	used := map[string]bool{}
	for _, t := range targets {
		used[t.instance] = used[t.instance] || t.missing == ""
	}
	for _, i := range []struct{ name, vpc, ip string }{
		{"t-go", "targets", "10.0.1.10"}, {"t-raw", "targets", "10.0.1.11"}, {"t-python", "targets", "10.0.1.12"}, {"t-node", "targets", "10.0.1.13"},
		{"t-c", "targets", "10.0.1.14"}, {"t-m1", "targets", "10.0.1.15"}, {"t-m2", "targets", "10.0.1.16"}, {"o-go", "other", "10.0.1.10"},
		{"c-go", "clients", ""}, {"c-odd", "clients", ""}, {"c-scripts", "clients", ""}, {"c-probe", "clients", ""}, {"c-speak", "clients", ""}, {"o-client", "other", ""},
	} {
		if i.ip != "" && !used[i.name] {
			continue
		}
		all.Go(func() {
			made, failed := w.makeInstance(ctx, i.name, i.vpc, i.ip)
			mu.Lock()
			defer mu.Unlock()
			if w.instances[i.name] = made; failed != nil {
				err = errors.Join(err, fmt.Errorf("instance %s: %w", i.name, failed))
			}
		})
	}
	all.Wait()
	return err
}

// associateVPC associates a VPC with a network and waits until it is done.
func (w *world) associateVPC(ctx context.Context, network string, v *vpcNoun) (string, error) {
	a, err := w.d.call(ctx, v.account, "vpc-lattice CreateServiceNetworkVpcAssociation", in{"serviceNetworkIdentifier": network, "vpcIdentifier": v.id,
		"securityGroupIds": []any{v.group}})
	if err != nil {
		return "", err
	}
	return a.text("id"), w.d.until(ctx, v.account, "vpc-lattice GetServiceNetworkVpcAssociation", in{"serviceNetworkVpcAssociationIdentifier": a.text("id")}, isActive)
}

// isActive tells whether an association is made.
func isActive(a answer) bool { return a.text("status") == "ACTIVE" }

// makeNetworks makes the network that all share, the second one, and the associations of VPCs.
func (w *world) makeNetworks(ctx context.Context) error {
	for name, at := range map[string]*string{"soak": &w.network, "soak-second": &w.second} {
		n, err := w.d.call(ctx, accountA, "vpc-lattice CreateServiceNetwork", in{"name": name, "authType": "NONE"})
		if err != nil {
			return err
		}
		if *at = n.text("id"); name == "soak" {
			w.networkARN = n.text("arn")
		}
	}
	if _, err := w.d.call(ctx, accountA, "ram CreateResourceShare", in{"name": "soak", "resourceArns": []any{w.networkARN}, "principals": []any{accountB},
		"permissionArns": []any{"arn:aws:ram::aws:permission/AWSRAMPermissionVpcLatticeServiceNetworkReadWrite"}}); err != nil {
		return err
	}
	for _, v := range []string{"clients", "other"} {
		if _, err := w.associateVPC(ctx, w.networkARN, w.vpcs[v]); err != nil {
			return fmt.Errorf("associate VPC %s: %w", v, err)
		}
	}
	var err error
	w.clientsSecond, err = w.associateVPC(ctx, w.second, w.vpcs["clients"])
	return err
}

// makeGroup makes a target group with the given target and no other.
func (w *world) makeGroup(ctx context.Context, account, name, vpcName, ip string, port int) (string, error) {
	kind := "IPV4"
	if strings.Contains(ip, ":") {
		kind = "IPV6"
	}
	g, err := w.d.call(ctx, account, "vpc-lattice CreateTargetGroup", in{"name": name, "type": "IP", "config": in{"port": port, "protocol": "HTTP",
		"vpcIdentifier": w.vpcs[vpcName].id, "ipAddressType": kind,
		"healthCheck": in{"enabled": true, "path": "/healthz", "healthCheckIntervalSeconds": 5, "healthCheckTimeoutSeconds": 4, "healthyThresholdCount": 2, "unhealthyThresholdCount": 2}}})
	if err != nil {
		return "", err
	}
	if err := w.d.until(ctx, account, "vpc-lattice GetTargetGroup", in{"targetGroupIdentifier": g.text("id")}, isActive); err != nil {
		return "", err
	}
	return g.text("id"), w.register(ctx, account, g.text("id"), ip, port)
}

// register registers a target.
func (w *world) register(ctx context.Context, account, group, ip string, port int) error {
	_, err := w.d.call(ctx, account, "vpc-lattice RegisterTargets", in{"targetGroupIdentifier": group, "targets": []any{in{"id": ip, "port": port}}})
	return err
}

// makeService makes a service with a listener on port 80 and associates it with networks.
func (w *world) makeService(ctx context.Context, account, name, auth string, action in, networks ...string) (*service, error) {
	s := &service{name: name, account: account, signed: auth == "AWS_IAM", groups: map[string]string{}}
	made, err := w.d.call(ctx, account, "vpc-lattice CreateService", in{"name": name, "authType": auth})
	if err != nil {
		return nil, err
	}
	s.id, s.arn, s.dns = made.text("id"), made.text("arn"), made.text("dnsEntry.domainName")
	if err := w.d.until(ctx, account, "vpc-lattice GetService", in{"serviceIdentifier": s.id}, isActive); err != nil {
		return nil, err
	}
	l, err := w.d.call(ctx, account, "vpc-lattice CreateListener", in{"serviceIdentifier": s.id, "name": "http", "protocol": "HTTP", "port": 80, "defaultAction": action})
	if err != nil {
		return nil, err
	}
	s.listener = l.text("id")
	for _, n := range networks {
		a, err := w.d.call(ctx, account, "vpc-lattice CreateServiceNetworkServiceAssociation", in{"serviceNetworkIdentifier": n, "serviceIdentifier": s.id})
		if err != nil {
			return nil, err
		}
		s.associationID = a.text("id")
		err = w.d.until(ctx, account, "vpc-lattice GetServiceNetworkServiceAssociation", in{"serviceNetworkServiceAssociationIdentifier": s.associationID}, isActive)
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// makeServed makes a service with a target group for each of its targets, and forwards to the first.
func (w *world) makeServed(ctx context.Context, name, account, auth string, targets []*target) (*service, error) {
	groups, first, vpcName := map[string]string{}, "", "targets"
	if account == accountB {
		vpcName = "other"
	}
	var responders []string
	for _, t := range targets {
		ip := w.instances[t.instance].ip
		if name == "six" {
			ip = w.instances[t.instance].ip6
		}
		responders = append(responders, t.name)
		if name == "members" && first != "" { // one group with both
			if err := w.register(ctx, account, first, ip, t.port); err != nil {
				return nil, err
			}
			continue
		}
		id, err := w.makeGroup(ctx, account, name+"-"+t.name, vpcName, ip, t.port)
		if err != nil {
			return nil, fmt.Errorf("target group of %s: %w", t.name, err)
		}
		if groups[t.name] = id; first == "" {
			first = id
		}
	}
	action := forward(first, 100)
	if name == "fixed" {
		action = fixed(404)
	}
	s, err := w.makeService(ctx, account, name, auth, action, w.networkARN)
	if err != nil {
		return nil, err
	}
	s.groups, s.responders = groups, responders
	return s, nil
}

// makeServices makes the services, each with target groups of its own: a target group serves one service.
func (w *world) makeServices(ctx context.Context, targets []*target) (err error) {
	var mu sync.Mutex // guards what is made, all at once
	var all sync.WaitGroup
	byService := map[string][]*target{}
	for _, t := range targets {
		if t.missing == "" {
			for _, s := range t.services {
				byService[s] = append(byService[s], t)
			}
		}
	}
	for _, s := range []struct{ name, account, auth string }{
		{"mix", accountA, "NONE"}, {"iam", accountA, "AWS_IAM"}, {"flip", accountA, "AWS_IAM"}, {"shift", accountA, "NONE"}, {"fixed", accountA, "NONE"},
		{"members", accountA, "NONE"}, {"six", accountA, "NONE"}, {"other", accountB, "NONE"},
	} {
		all.Go(func() {
			made, failed := w.makeServed(ctx, s.name, s.account, s.auth, byService[s.name])
			mu.Lock()
			defer mu.Unlock()
			if w.services[s.name] = made; failed != nil {
				err = errors.Join(err, fmt.Errorf("service %s: %w", s.name, failed))
			}
		})
	}
	if all.Wait(); err != nil {
		return err
	}
	w.deregisterable = w.services["members"].groups["m1"]
	mix := w.services["mix"]
	w.wants = mix.responders
	for i, t := range mix.responders {
		match := in{"httpMatch": in{"headerMatches": []any{in{"name": "x-want", "match": in{"exact": t}}}}}
		if err := w.rule(ctx, mix, "want-"+t, i+1, match, forward(mix.groups[t], 100)); err != nil {
			return err
		}
	}
	prefix := in{"httpMatch": in{"pathMatch": in{"match": in{"prefix": "/gone"}}}}
	if err := w.rule(ctx, w.services["fixed"], "gone", 1, prefix, fixed(500)); err != nil {
		return err
	}
	for _, s := range []string{"iam", "flip"} {
		if err := w.put(ctx, w.services[s], allow()); err != nil {
			return err
		}
	}
	return nil
}

// rule makes a rule.
func (w *world) rule(ctx context.Context, s *service, name string, priority int, match, action in) error {
	_, err := w.d.call(ctx, s.account, "vpc-lattice CreateRule", in{"serviceIdentifier": s.id, "listenerIdentifier": s.listener, "name": name, "priority": priority,
		"match": match, "action": action})
	return err
}

// put replaces a service's auth policy.
func (w *world) put(ctx context.Context, s *service, policy string) error {
	_, err := w.d.call(ctx, s.account, "vpc-lattice PutAuthPolicy", in{"resourceIdentifier": s.arn, "policy": policy})
	return err
}

// absent tells whether an error says that something is not there.
func absent(err error) bool {
	var e *trellis.Error
	return errors.As(err, &e) && (e.Status == 404 || strings.Contains(e.Code, "NotFound"))
}

// untilGone asks until something is not there any more.
func (w *world) untilGone(ctx context.Context, account, operation string, input in) error {
	err := w.d.until(ctx, account, operation, input, func(answer) bool { return false })
	if absent(err) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s %v is still there", operation, input)
	}
	return err
}
