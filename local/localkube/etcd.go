package main

import (
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// startEtcd opens the database in dir, or creates it, and waits until it
// serves. Its data outlives the process, even one that is killed.
func startEtcd(dir string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = dir
	config.LogLevel = "error"
	config.EnableGRPCGateway = false
	// Every write still reaches the kernel before it is acknowledged, so a killed
	// process loses nothing. Only a power cut does, and no test survives that.
	config.UnsafeNoFsync = true
	// Port 0 in the recorded membership is harmless: a single member never dials
	// itself, and a restart finds the same name and URL whatever port it gets.
	anyPort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.ListenClientUrls, config.AdvertiseClientUrls = anyPort, anyPort
	config.ListenPeerUrls, config.AdvertisePeerUrls = anyPort, anyPort
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case err := <-etcd.Err():
		return nil, err
	case <-time.After(startTimeout):
		return nil, fmt.Errorf("not ready within %s", startTimeout)
	}
}

// clientURL is where a running etcd really listens.
func clientURL(etcd *embed.Etcd) string {
	return "http://" + etcd.Clients[0].Addr().String()
}
