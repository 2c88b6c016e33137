package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// shiftRules is how many rules the service shift may have.
	shiftRules = 4
	// churnPort is the first of a hundred ports for listeners that churn makes.
	churnPort = 8100
	// closedPort is one that the security group does not let in.
	closedPort = 8300
)

// churn changes the world while clients call it. Two lanes run beside each other: what takes milliseconds (rules,
// weights, policies, members), and what takes seconds (whole services, listeners, instances, associations).
type churn struct {
	w     *world
	j     *judge
	probe *clientProcess
	dir   string        // of scratch files
	rate  float64       // of the quick lane, in a second
	gate  *sync.RWMutex // closed while Trellis is started again

	membersMu sync.Mutex // one change of the members at a time
	mu        sync.Mutex
	counts    map[string]int // by operation
	serial    int            // of names
}

// operation is one kind of change.
type operation struct {
	name   string
	weight int
	do     func(context.Context, *rand.Rand) error
}

// run changes until ctx is done, and leaves nothing half made.
func (c *churn) run(ctx context.Context, seed uint64) {
	quick := []operation{{"default action", 3, c.shiftDefault}, {"rule", 4, c.shiftRule}, {"auth policy", 2, c.flipPolicy}, {"target", 2, c.member}, {"same auth policy", 1, c.samePolicy}}
	slow := []operation{{"service", 4, c.serviceLife}, {"listener", 3, c.listenerLife}, {"security group", 2, c.securityGroup}, {"instance", 2, c.instanceLife},
		{"VPC association", 2, c.associationLife}, {"access log", 1, c.accessLog}, {"certificate", 2, c.swapCertificate}, {"drain", 2, c.drainWeb},
		{"resource association", 2, c.resourceLife}}
	var lanes sync.WaitGroup
	lanes.Go(func() { c.lane(ctx, rand.New(rand.NewPCG(seed, 1)), quick, c.rate) })
	lanes.Go(func() { c.lane(ctx, rand.New(rand.NewPCG(seed, 2)), slow, 2) })
	lanes.Wait()
}

// lane does one operation after another. One that has begun is finished.
func (c *churn) lane(ctx context.Context, rng *rand.Rand, operations []operation, rate float64) {
	total := 0
	for _, o := range operations {
		total += o.weight
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(rng.ExpFloat64() / rate * float64(time.Second))):
		}
		n := rng.IntN(total)
		for _, o := range operations {
			if n -= o.weight; n >= 0 {
				continue
			}
			c.gate.RLock()
			begun := time.Now()
			err := o.do(context.WithoutCancel(ctx), rng)
			c.gate.RUnlock()
			c.mu.Lock()
			c.counts[o.name]++
			c.mu.Unlock()
			if err != nil {
				c.j.failed(begun, "churn, %s: %v", o.name, err)
			}
			break
		}
	}
}

// name makes a new name.
func (c *churn) name(what string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	return fmt.Sprintf("churn-%s-%d", what, c.serial)
}

// shiftActions are what the default action and the rules of the service shift may be: who may answer, and the action.
func (c *churn) shiftAction(rng *rand.Rand) (value string, action in) {
	g := c.w.services["shift"].groups
	switch rng.IntN(4) {
	case 0:
		return "sa", forward(g["sa"], 100)
	case 1:
		return "sb", forward(g["sb"], 1+rng.IntN(999), g["sa"], 0)
	case 2:
		return "sa sb", forward(g["sa"], 1+rng.IntN(100), g["sb"], 1+rng.IntN(100))
	}
	return "404", fixed(404)
}

// shiftDefault changes the default action of the service shift.
func (c *churn) shiftDefault(ctx context.Context, rng *rand.Rand) error {
	s := c.w.services["shift"]
	value, action := c.shiftAction(rng)
	return c.j.shift.change(value, func() error {
		_, err := c.w.d.call(ctx, s.account, "vpc-lattice UpdateListener", in{"serviceIdentifier": s.id, "listenerIdentifier": s.listener, "defaultAction": action})
		return err
	})
}

// shiftRule makes, changes or deletes a rule of the service shift.
func (c *churn) shiftRule(ctx context.Context, rng *rand.Rand) error {
	s, k := c.w.services["shift"], rng.IntN(shiftRules)
	t := c.j.rules[k]
	now := time.Now().UnixNano()
	found := t.valid(now+2*margin, now+2*margin)
	at := in{"serviceIdentifier": s.id, "listenerIdentifier": s.listener}
	value, action := c.shiftAction(rng)
	if found[len(found)-1] == "" {
		at["name"], at["priority"], at["action"] = fmt.Sprintf("r-%d", k+1), 10+k, action
		at["match"] = in{"httpMatch": in{"pathMatch": in{"match": in{"prefix": fmt.Sprintf("/r/%d", k+1)}}}}
		return t.change(value, func() error {
			_, err := c.w.d.call(ctx, s.account, "vpc-lattice CreateRule", at)
			return err
		})
	}
	rules, err := c.w.d.call(ctx, s.account, "vpc-lattice ListRules", at)
	if err != nil {
		return err
	}
	for _, r := range rules.list("items") {
		if r.text("name") == fmt.Sprintf("r-%d", k+1) {
			at["ruleIdentifier"] = r.text("id")
		}
	}
	if at["ruleIdentifier"] == nil {
		return fmt.Errorf("rule r-%d was made and is not listed", k+1)
	}
	if rng.IntN(2) == 0 {
		return t.change("", func() error {
			_, err := c.w.d.call(ctx, s.account, "vpc-lattice DeleteRule", at)
			return err
		})
	}
	at["action"] = action
	return t.change(value, func() error {
		_, err := c.w.d.call(ctx, s.account, "vpc-lattice UpdateRule", at)
		return err
	})
}

// flipPolicy lets everybody in, or nobody, by the auth policy of the service flip.
func (c *churn) flipPolicy(ctx context.Context, rng *rand.Rand) error {
	value, policy := "allow", allow()
	if rng.IntN(2) == 0 {
		value, policy = "deny", deny()
	}
	return c.j.policy.change(value, func() error { return c.w.put(ctx, c.w.services["flip"], policy) })
}

// samePolicy puts the policy that a service has already: nobody may notice.
func (c *churn) samePolicy(ctx context.Context, _ *rand.Rand) error {
	return c.w.put(ctx, c.w.services["iam"], allow())
}

// setMember registers or deregisters a target of the service members.
func (c *churn) setMember(ctx context.Context, name, ip string, registered bool) error {
	c.membersMu.Lock()
	defer c.membersMu.Unlock()
	now := time.Now().UnixNano()
	valid := c.j.members.valid(now+2*margin, now+2*margin)
	var value []string
	for _, m := range strings.Fields(valid[len(valid)-1]) {
		if m != name {
			value = append(value, m)
		}
	}
	operation := "vpc-lattice DeregisterTargets"
	if registered {
		operation, value = "vpc-lattice RegisterTargets", append(value, name)
	}
	return c.j.members.change(strings.Join(value, " "), func() error {
		out, err := c.w.d.call(ctx, accountA, operation, in{"targetGroupIdentifier": c.w.deregisterable, "targets": []any{in{"id": ip, "port": 8080}}})
		if failed := out.list("unsuccessful"); err == nil && len(failed) > 0 {
			err = fmt.Errorf("%s: %v", operation, failed)
		}
		return err
	})
}

// member registers or deregisters one of the two members: the other one stays.
func (c *churn) member(ctx context.Context, _ *rand.Rand) error {
	now := time.Now().UnixNano()
	valid := c.j.members.valid(now+2*margin, now+2*margin)
	return c.setMember(ctx, "m2", c.w.instances["t-m2"].ip, !strings.Contains(valid[len(valid)-1], "m2"))
}

// ask makes a call from the probe's instance and returns what it saw.
func (c *churn) ask(host string, within time.Duration) (*call, error) {
	id := c.name("call")
	ch := make(chan *call, 1)
	c.j.mu.Lock()
	c.j.probes[id] = ch
	c.j.mu.Unlock()
	if err := c.probe.tell(job{ID: id, Service: "probe", Host: host, Millis: int(within.Milliseconds())}); err != nil {
		return nil, fmt.Errorf("tell the probe: %w", err)
	}
	select {
	case got := <-ch:
		return got, nil
	case <-time.After(within + 20*time.Second):
		return nil, errors.New("the probe does not answer")
	}
}

// want makes a call that must be as told, at once: an answer of the API means that what it says is live.
func (c *churn) want(what, host string, as func(*call) bool) error {
	got, err := c.ask(host, 4*time.Second)
	if err == nil && !as(got) {
		err = fmt.Errorf("%s: status %d from %q, err %q: %s", what, got.Status, got.From, got.Err, got.Text)
	}
	return err
}

// Outcomes that probes want.
var (
	answers500 = func(c *call) bool { return c.Status == 500 }
	answersGo  = func(c *call) bool { return c.Status == 200 && c.From == "go" && c.Err == errNone }
	isAbsent   = func(c *call) bool { return c.Status == 404 && c.From == "" || c.Status == 0 && c.Err != errOther }
	isSilent   = func(c *call) bool { return c.Err == errTimeout }
)

// serviceLife makes a service, with a target group or a fixed answer, calls it, and removes it.
func (c *churn) serviceLife(ctx context.Context, rng *rand.Rand) (err error) {
	name, action, as := c.name("service"), fixed(500), answers500
	group := ""
	if rng.IntN(2) == 0 {
		if group, err = c.w.makeGroup(ctx, accountA, name, "targets", c.w.instances["t-go"].ip, 8080); err != nil {
			return err
		}
		action, as = forward(group, 1), answersGo
	}
	s, err := c.w.makeService(ctx, accountA, name, "NONE", action, c.w.networkARN)
	if err != nil {
		return err
	}
	err = c.want("a new service", s.dns, as)
	gone := in{"serviceNetworkServiceAssociationIdentifier": s.associationID}
	if _, failed := c.w.d.call(ctx, accountA, "vpc-lattice DeleteServiceNetworkServiceAssociation", gone); failed != nil {
		return errors.Join(err, failed)
	}
	err = errors.Join(err, c.w.untilGone(ctx, accountA, "vpc-lattice GetServiceNetworkServiceAssociation", gone), c.want("a service without association", s.dns, isAbsent))
	if _, failed := c.w.d.call(ctx, accountA, "vpc-lattice DeleteService", in{"serviceIdentifier": s.id}); failed != nil {
		return errors.Join(err, failed)
	}
	err = errors.Join(err, c.w.untilGone(ctx, accountA, "vpc-lattice GetService", in{"serviceIdentifier": s.id}))
	if group != "" {
		err = errors.Join(err, c.w.removeGroup(ctx, accountA, group))
	}
	return err
}

// withListener makes a listener at a port of the service fixed, does something, and deletes it.
func (c *churn) withListener(ctx context.Context, port int, do func(host string) error) error {
	s := c.w.services["fixed"]
	l, err := c.w.d.call(ctx, s.account, "vpc-lattice CreateListener", in{"serviceIdentifier": s.id, "name": c.name("l"), "protocol": "HTTP", "port": port, "defaultAction": fixed(500)})
	if err != nil {
		return err
	}
	err = do(fmt.Sprintf("%s:%d", s.dns, port))
	_, failed := c.w.d.call(ctx, s.account, "vpc-lattice DeleteListener", in{"serviceIdentifier": s.id, "listenerIdentifier": l.text("id")})
	return errors.Join(err, failed)
}

// listenerLife makes a listener on a new port, calls it, and removes it.
func (c *churn) listenerLife(ctx context.Context, rng *rand.Rand) error {
	host := ""
	err := c.withListener(ctx, churnPort+rng.IntN(100), func(h string) error {
		host = h
		return c.want("a new listener", h, answers500)
	})
	if err != nil {
		return err
	}
	return c.want("a deleted listener", host, isAbsent)
}

// securityGroup opens and closes a port by the security group of the clients' association.
func (c *churn) securityGroup(ctx context.Context, _ *rand.Rand) error {
	v := c.w.vpcs["clients"]
	rule := in{"GroupId": v.group, "IpPermissions": []any{in{"IpProtocol": "tcp", "FromPort": closedPort, "ToPort": closedPort, "IpRanges": []any{in{"CidrIp": v.cidr}}}}}
	return c.withListener(ctx, closedPort, func(host string) error {
		silent := func(what string) error {
			got, err := c.ask(host, time.Second)
			if err == nil && !isSilent(got) {
				err = fmt.Errorf("%s: status %d, err %q: %s", what, got.Status, got.Err, got.Text)
			}
			return err
		}
		err := silent("a port that no security group opens")
		if _, failed := c.w.d.call(ctx, v.account, "ec2 AuthorizeSecurityGroupIngress", rule); failed != nil {
			return errors.Join(err, failed)
		}
		err = errors.Join(err, c.want("a port that the security group opens", host, answers500))
		_, failed := c.w.d.call(ctx, v.account, "ec2 RevokeSecurityGroupIngress", rule)
		return errors.Join(err, failed, silent("a port that the security group closed again"))
	})
}

// instanceLife makes an instance with a target in it, has it answer for the service members, and terminates it:
// after it was deregistered, or under load.
func (c *churn) instanceLife(ctx context.Context, rng *rand.Rand) error {
	name := c.name("i")
	i, err := c.w.makeInstance(ctx, name, "targets", "")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	t := &target{name: name, runtime: "go", port: 8080, command: []string{self}}
	if err := t.start(i, filepath.Join(c.dir, "churn.log"), 0); err != nil {
		return err
	}
	defer t.proc.signal(syscall.SIGKILL)
	if err := c.setMember(ctx, name, i.ip, true); err != nil {
		return err
	}
	time.Sleep(time.Duration(1+rng.IntN(3)) * time.Second)
	abrupt := rng.IntN(3) == 0
	if !abrupt {
		if err := c.setMember(ctx, name, i.ip, false); err != nil {
			return err
		}
		time.Sleep(500 * time.Millisecond)
	}
	end := c.j.begin("instance "+name+" terminated", name, "m1", "m2") // an answer of Trellis does not tell whose it is
	if err := c.w.terminate(ctx, accountA, i.id); err != nil {
		return err
	}
	err = c.w.d.until(ctx, accountA, "ec2 DescribeInstances", in{"InstanceIds": []any{i.id}}, func(a answer) bool {
		return answer(a.list("Reservations")[0]).text("Instances.0.State.Name") == "terminated"
	})
	if abrupt {
		err = errors.Join(err, c.setMember(ctx, name, i.ip, false))
	}
	end(6 * time.Second) // connecting to an address that is gone times out after five
	return err
}

// associationLife takes the VPC of the clients out of the second network and back.
func (c *churn) associationLife(ctx context.Context, _ *rand.Rand) error {
	s, err := c.w.makeService(ctx, accountA, c.name("second"), "NONE", fixed(500), c.w.second)
	if err != nil {
		return err
	}
	err = c.want("a service of the second network", s.dns, answers500)
	id := in{"serviceNetworkVpcAssociationIdentifier": c.w.clientsSecond}
	if _, failed := c.w.d.call(ctx, accountA, "vpc-lattice DeleteServiceNetworkVpcAssociation", id); failed != nil {
		return errors.Join(err, failed)
	}
	err = errors.Join(err, c.w.untilGone(ctx, accountA, "vpc-lattice GetServiceNetworkVpcAssociation", id), c.want("a network that the VPC left", s.dns, isAbsent))
	var failed error
	if c.w.clientsSecond, failed = c.w.associateVPC(ctx, c.w.second, c.w.vpcs["clients"]); failed != nil {
		return errors.Join(err, failed)
	}
	err = errors.Join(err, c.want("a network that the VPC joined again", s.dns, answers500))
	gone := in{"serviceNetworkServiceAssociationIdentifier": s.associationID}
	if _, failed := c.w.d.call(ctx, accountA, "vpc-lattice DeleteServiceNetworkServiceAssociation", gone); failed != nil {
		return errors.Join(err, failed)
	}
	err = errors.Join(err, c.w.untilGone(ctx, accountA, "vpc-lattice GetServiceNetworkServiceAssociation", gone))
	_, failed = c.w.d.call(ctx, accountA, "vpc-lattice DeleteService", in{"serviceIdentifier": s.id})
	return errors.Join(err, failed)
}

// accessLog subscribes to the access log of the service mix, waits for a row, and unsubscribes.
func (c *churn) accessLog(ctx context.Context, _ *rand.Rand) error {
	s, group := c.w.services["mix"], "/aws/vpclattice/"+c.name("log")
	if _, err := c.w.d.call(ctx, s.account, "logs CreateLogGroup", in{"logGroupName": group}); err != nil {
		return err
	}
	sub, err := c.w.d.call(ctx, s.account, "vpc-lattice CreateAccessLogSubscription", in{"resourceIdentifier": s.arn,
		"destinationArn": "arn:aws:logs:" + region + ":" + s.account + ":log-group:" + group})
	if err != nil {
		return err
	}
	err = c.w.d.until(ctx, s.account, "logs FilterLogEvents", in{"logGroupName": group, "limit": 5}, func(a answer) bool { return len(a.list("events")) > 0 })
	_, failed := c.w.d.call(ctx, s.account, "vpc-lattice DeleteAccessLogSubscription", in{"accessLogSubscriptionIdentifier": sub.text("id")})
	time.Sleep(1500 * time.Millisecond) // rows of requests before it are on their way
	_, failed2 := c.w.d.call(ctx, s.account, "logs DeleteLogGroup", in{"logGroupName": group})
	return errors.Join(err, failed, failed2)
}
