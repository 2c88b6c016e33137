package vpc

import (
	"fmt"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
)

const (
	// batchBuffer bounds one batch of nftables messages and its acknowledgements, in bytes.
	batchBuffer = 32 << 20
	// batchTimeout bounds how long the kernel may take for one batch.
	batchTimeout = 20 * time.Second
	// elementsPerMessage keeps a message of set elements below netlink's 64 KiB for one attribute.
	elementsPerMessage = 250
)

// setTypes are the kernel's types of the kinds of sets.
var setTypes = map[setKind]nftables.SetDatatype{
	addresses4:  nftables.TypeIPAddr,
	addresses6:  nftables.TypeIP6Addr,
	sources4:    nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIPAddr),
	sources6:    nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIP6Addr),
	byInterface: nftables.TypeIFName,
	byAddress4:  nftables.TypeIPAddr,
	byAddress6:  nftables.TypeIP6Addr,
	bySource4:   nftables.TypeIPAddr,
	bySource6:   nftables.TypeIP6Addr,
}

// load replaces the table of a namespace by the ruleset in one batch: a packet sees the old rules or the new ones.
// Tracked connections stay.
func (r *ruleset) load(ns *namespace) error {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	if ns.file == nil {
		return fmt.Errorf("load the rules of %s: %w", ns.name, errGone)
	}
	conn, err := nftables.New(nftables.WithNetNSFd(int(ns.file.Fd())), nftables.WithSockOptions(func(c *netlink.Conn) error {
		if err := c.SetDeadline(time.Now().Add(batchTimeout)); err != nil {
			return err
		}
		if err := c.SetWriteBuffer(batchBuffer); err != nil {
			return err
		}
		return c.SetReadBuffer(batchBuffer)
	}))
	if err != nil {
		return fmt.Errorf("open nftables of %s: %w", ns.name, err)
	}
	t := &nftables.Table{Family: nftables.TableFamilyINet, Name: tableName}
	conn.AddTable(t) // so that there is one to delete
	conn.DelTable(t)
	conn.AddTable(t)
	chains := map[string]*nftables.Chain{}
	for _, c := range r.chains {
		nc := &nftables.Chain{Table: t, Name: c.name}
		if c.hook != nil {
			policy := c.policy
			nc.Type, nc.Hooknum, nc.Priority, nc.Policy = nftables.ChainTypeFilter, c.hook.num, c.hook.priority, &policy
		}
		chains[c.name] = conn.AddChain(nc)
	}
	for i, s := range r.sets {
		if err := s.add(conn, t, uint32(i+1)); err != nil {
			return fmt.Errorf("add set %s of %s: %w", s.name, ns.name, err)
		}
	}
	for _, c := range r.chains {
		for _, rule := range c.rules {
			conn.AddRule(&nftables.Rule{Table: t, Chain: chains[c.name], Exprs: rule.exprs})
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("load the rules of %s: %w", ns.name, err)
	}
	return nil
}

// add queues a set and its elements. The id is the set's within this batch; without one the nftables package counts in a variable
// that concurrent batches race for.
func (s *set) add(conn *nftables.Conn, t *nftables.Table, id uint32) error {
	ns := &nftables.Set{Table: t, ID: id, Name: s.name, KeyType: setTypes[s.kind], Concatenation: s.kind == sources4 || s.kind == sources6}
	if s.kind >= byInterface {
		ns.IsMap, ns.DataType = true, nftables.TypeVerdict
	}
	if err := conn.AddSet(ns, nil); err != nil {
		return err
	}
	var elements []nftables.SetElement
	for i, e := range s.elements {
		var key []byte
		if e.iface != "" {
			key = ifname(e.iface)
		}
		if e.addr.IsValid() {
			key = append(key, e.addr.AsSlice()...)
		}
		ne := nftables.SetElement{Key: key}
		if e.chain != "" {
			ne.VerdictData = &expr.Verdict{Kind: expr.VerdictGoto, Chain: e.chain}
		}
		elements = append(elements, ne)
		if len(elements) == elementsPerMessage || i == len(s.elements)-1 {
			if err := conn.SetAddElements(ns, elements); err != nil {
				return err
			}
			elements = elements[:0:0]
		}
	}
	return nil
}
