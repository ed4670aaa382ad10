package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// addresses is the file addresses.json in the data folder: how other commands find the running broker. It is removed
// at the broker's end; after a crash it stays, so its readers must be ready to find nobody there.
type addresses struct {
	PID       int             `json:"pid"`
	Started   time.Time       `json:"started"`
	Listeners []listenAddress `json:"listeners"`
	Admin     string          `json:"admin"` // path of the admin socket
}

type listenAddress struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`    // vtp-author, vtp-feed or http, with and without TLS
	URI     string `json:"uri"`     // with the port that was really bound
	Address string `json:"address"` // HOST:PORT, or the path of a socket
	TLS     bool   `json:"tls"`
}

// wireKind is the word for the kind in addresses.json.
func (a address) wireKind() string {
	if a.kind == kindHTTP {
		return "http"
	}
	return "vtp-" + string(a.kind)
}

func (a addresses) write(path string) error {
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	return writeFile(path, append(b, '\n'), 0o644)
}

func readAddresses(data string) (addresses, error) {
	b, err := os.ReadFile(filepath.Join(data, "addresses.json"))
	if err != nil {
		return addresses{}, err
	}
	var a addresses
	if err := json.Unmarshal(b, &a); err != nil {
		return addresses{}, fmt.Errorf("%s: %w", filepath.Join(data, "addresses.json"), err)
	}
	return a, nil
}

// remoteFor finds where a client command is to connect to: what was given, else the plain listener of that kind of the
// broker that runs on the data folder, else the usual port on this machine.
func remoteFor(given, data string, kind listenKind) (network, host string, secure bool, err error) {
	if given != "" {
		return parseRemote(given, usualPort(kind))
	}
	a, err := readAddresses(data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", "", false, err
	}
	for _, l := range a.Listeners {
		if l.Kind == "vtp-"+string(kind) && !l.TLS {
			if filepath.IsAbs(l.Address) {
				return "unix", l.Address, false, nil
			}
			return "tcp", l.Address, false, nil
		}
	}
	return "tcp", "127.0.0.1:" + usualPort(kind), false, nil
}
