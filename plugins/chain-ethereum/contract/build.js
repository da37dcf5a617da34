#!/usr/bin/env node
// Compiles WardstoneAnchors.sol: node build.js [FILE] writes the artifact, WardstoneAnchors.json beside this file where no
// other is named. The compiler is the one of package-lock.json, found in NODE_PATH; the same source makes the same bytes.
"use strict";

const fs = require("fs");
const path = require("path");
const solc = require("solc");

const name = "WardstoneAnchors";
const source = `${name}.sol`;
const settings = {
    // Older GoQuorum networks end with london: no PUSH0.
    evmVersion: "london",
    optimizer: { enabled: true, runs: 10000 },
    viaIR: true,
    // Without the hash of the metadata the bytes follow from the code alone, not from comments and paths.
    metadata: { bytecodeHash: "none", appendCBOR: false },
};

function compile() {
    const input = {
        language: "Solidity",
        sources: { [source]: { content: fs.readFileSync(path.join(__dirname, source), "utf8") } },
        settings: { ...settings, outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } } },
    };
    const output = JSON.parse(solc.compile(JSON.stringify(input)));
    if (output.errors)
        throw new Error(output.errors.map((e) => e.formattedMessage).join("\n"));

    const { abi, evm } = output.contracts[source][name];
    return {
        contractName: name,
        abi,
        bytecode: `0x${evm.bytecode.object}`,
        deployedBytecode: `0x${evm.deployedBytecode.object}`,
        compiler: solc.version(),
        settings,
    };
}

fs.writeFileSync(process.argv[2] || path.join(__dirname, `${name}.json`), `${JSON.stringify(compile(), null, 2)}\n`);
