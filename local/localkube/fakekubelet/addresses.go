package fakekubelet

import (
	"net/netip"
	"sync"
)

// addressPool gives every owner an IP address of its own and never gives one out
// again: in an investigation, an address must mean one pod only.
type addressPool struct {
	mu     sync.Mutex
	next   netip.Addr
	owners map[string]string
}

func newAddressPool(first netip.Addr) *addressPool {
	return &addressPool{next: first, owners: map[string]string{}}
}

// claim keeps the pool off an address that is in use since before a restart.
func (p *addressPool) claim(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if used, err := netip.ParseAddr(address); err == nil && p.next.Compare(used) <= 0 {
		p.next = used.Next()
	}
}

// of returns the owner's address, the same at every call.
func (p *addressPool) of(owner string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	address, known := p.owners[owner]
	if !known {
		address = p.next.String()
		p.next = p.next.Next()
		p.owners[owner] = address
	}
	return address
}
