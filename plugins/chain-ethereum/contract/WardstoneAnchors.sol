// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/* The heads of the consortium's ledgers: each gateway anchors the size and root of its append-only log (RFC 6962), and
 * this contract refuses whatever is not an extension of what that gateway anchored before.
 *
 * A gateway is known by the keccak256 of its name, the first part of its checkpoints' origin; its log of one epoch, the
 * second part, is a log of its own that begins at size 0. What is anchored stays: no function changes or removes it, not
 * for admins either.
 *
 * The Ed25519 signature of a checkpoint is not checked here. That a gateway said so is known by the account that sends
 * the transaction; the public key is registered so that who reads the chain can check the signed notes. */
contract WardstoneAnchors {
    struct Gateway {
        string name;
        bytes32 publicKey;
        address sender;
        bool active;
        uint64 epoch; // of the head; beside the sender, since anchor() reads both
        uint64 size; // of the head, 0: nothing is anchored
    }

    struct Anchor {
        bytes32 root;
        uint64 blockNumber; // 0: not anchored
        uint64 time;
    }

    struct Fork {
        bytes32 noteHashA;
        bytes32 noteHashB;
        uint64 blockNumber; // whose ForkReported event has the notes; 0: not reported
        uint64 time;
    }

    uint256 private constant NAME_MAX = 63; // what the gateway's configuration allows
    uint256 private constant NOTE_MAX = 6144; // a reader of checkpoints refuses longer ones

    mapping(bytes32 gateway => Gateway) private gateways;
    mapping(bytes32 gateway => mapping(uint64 epoch => mapping(uint64 size => Anchor))) private anchors;
    mapping(bytes32 gateway => bytes32[]) private forkIds;
    mapping(bytes32 id => Fork) private forks;
    mapping(address => bool) public isAdmin;
    uint256 public adminCount;

    event AdminSet(address indexed admin, bool on);
    event Registered(bytes32 indexed gateway, string name, address sender, bytes32 publicKey);
    event Rotated(bytes32 indexed gateway, address sender, bytes32 publicKey);
    event Revoked(bytes32 indexed gateway);
    event Anchored(bytes32 indexed gateway, uint64 indexed epoch, uint64 size, bytes32 root, uint64 oldSize);
    /* anchoredA, anchoredB: this contract has that one of the two, so the gateway's account sent it. */
    event ForkReported(
        bytes32 indexed gateway,
        uint64 indexed epoch,
        bytes32 indexed id,
        uint64 size,
        bytes32 root,
        uint64 otherSize,
        bytes32 otherRoot,
        bool anchoredA,
        bool anchoredB,
        bytes noteA,
        bytes noteB
    );

    error NotAdmin();
    error LastAdmin();
    error ZeroValue(); // an account or a key of zero
    error BadName();
    error AlreadyRegistered();
    error NotRegistered();
    error Revoked_();
    error NotSender();
    error EarlierEpoch(uint64 has);
    error WrongOldSize(uint64 has);
    error NotLarger();
    error NotConsistent();
    error NoFork();
    error BadNote();
    error NoSha256(); // the chain has no SHA-256 precompile, or the gas ran out in it

    modifier onlyAdmin() {
        if (!isAdmin[msg.sender]) revert NotAdmin();
        _;
    }

    constructor(address[] memory admins) {
        for (uint256 i = 0; i < admins.length; i++) addAdmin(admins[i]);
        if (adminCount == 0) revert LastAdmin();
    }

    // --- the consortium's admins ---

    function setAdmin(address admin, bool on) external onlyAdmin {
        if (on) {
            addAdmin(admin);
        } else if (isAdmin[admin]) {
            if (adminCount == 1) revert LastAdmin();
            isAdmin[admin] = false;
            adminCount--;
            emit AdminSet(admin, false);
        }
    }

    function register(string calldata name, address sender, bytes32 publicKey) external onlyAdmin {
        bytes32 id = keccak256(bytes(name));
        Gateway storage g = gateways[id];

        if (!nameIsValid(bytes(name))) revert BadName();
        if (sender == address(0) || publicKey == 0) revert ZeroValue();
        if (g.sender != address(0)) revert AlreadyRegistered();
        g.name = name;
        g.publicKey = publicKey;
        g.sender = sender;
        g.active = true;
        emit Registered(id, name, sender, publicKey);
    }

    /* New keys for a gateway whose log goes on. */
    function rotate(bytes32 gateway, address sender, bytes32 publicKey) external onlyAdmin {
        Gateway storage g = activeGateway(gateway);

        if (sender == address(0) || publicKey == 0) revert ZeroValue();
        g.sender = sender;
        g.publicKey = publicKey;
        emit Rotated(gateway, sender, publicKey);
    }

    /* For good: nothing more is anchored under this name. What was anchored stays. */
    function revoke(bytes32 gateway) external onlyAdmin {
        activeGateway(gateway).active = false;
        emit Revoked(gateway);
    }

    // --- the gateways ---

    /* proof: RFC 6962 2.1.2, from oldSize, which is the head's, to size; empty where oldSize is 0, the beginning of an
     * epoch. The head once more changes nothing, whatever its oldSize and proof: a sender that does not know whether it
     * was heard may say it again. */
    function anchor(
        bytes32 gateway,
        uint64 epoch,
        uint64 oldSize,
        uint64 size,
        bytes32 root,
        bytes32[] calldata proof
    ) external {
        Gateway storage g = activeGateway(gateway);

        if (msg.sender != g.sender) revert NotSender();
        uint64 headEpoch = g.epoch;
        uint64 headSize = g.size;
        if (epoch < headEpoch) revert EarlierEpoch(headEpoch);
        if (epoch > headEpoch) headSize = 0;
        mapping(uint64 size => Anchor) storage log = anchors[gateway][epoch];

        if (headSize != 0 && size == headSize) {
            if (log[size].root != root) revert NotConsistent();
            return;
        }
        if (oldSize != headSize) revert WrongOldSize(headSize);
        if (size <= oldSize) revert NotLarger();
        if (oldSize == 0 ? proof.length != 0 : !verifyConsistency(oldSize, log[oldSize].root, size, root, proof))
            revert NotConsistent();

        log[size] = Anchor(root, uint64(block.number), uint64(block.timestamp));
        if (epoch != headEpoch) g.epoch = epoch;
        g.size = size;
        emit Anchored(gateway, epoch, size, root, oldSize);
    }

    // --- anyone ---

    /* Records for good that two checkpoints of one log, A (noteA, size, root) and B (noteB, otherSize, otherRoot), exclude
     * each other, where size <= otherSize. That they do is checked: they are of one size with different roots (proof is
     * empty), or proof shows which root B's tree had at A's size, and it is not A's. Such a proof is the consistency proof
     * from size to otherSize in B's tree, with B's root at size in front where size is a power of two (RFC 6962 leaves it
     * out there).
     *
     * A note may be empty only where this contract has its checkpoint anchored. Not checked: that the notes say what
     * the arguments say, and their signatures. Who reads the event checks both, with the key that was registered; so a
     * report is evidence to be judged and has no effect on the gateway here. The same report again changes nothing. */
    function reportFork(
        bytes32 gateway,
        uint64 epoch,
        uint64 size,
        bytes32 root,
        bytes calldata noteA,
        bytes calldata noteB,
        uint64 otherSize,
        bytes32 otherRoot,
        bytes32[] calldata proof
    ) external {
        if (gateways[gateway].sender == address(0)) revert NotRegistered();
        if (!excludeEachOther(size, root, otherSize, otherRoot, proof)) revert NoFork();
        bool anchoredA = isAnchored(gateway, epoch, size, root);
        bool anchoredB = isAnchored(gateway, epoch, otherSize, otherRoot);
        if (noteA.length == 0 && !anchoredA || noteB.length == 0 && !anchoredB) revert BadNote();
        if (noteA.length > NOTE_MAX || noteB.length > NOTE_MAX) revert BadNote();

        bytes32 hashA = keccak256(noteA);
        bytes32 hashB = keccak256(noteB);
        // The notes are part of what is told apart: a report with false ones cannot take a true one's place.
        bytes32 id = keccak256(abi.encode(gateway, epoch, size, root, otherSize, otherRoot, hashA, hashB));
        if (forks[id].blockNumber != 0) return;
        forks[id] = Fork(hashA, hashB, uint64(block.number), uint64(block.timestamp));
        forkIds[gateway].push(id);
        emit ForkReported(
            gateway, epoch, id, size, root, otherSize, otherRoot, anchoredA, anchoredB, noteA, noteB
        );
    }

    // --- views ---

    /* The newest checkpoint of the newest epoch; zeros where nothing is anchored. */
    function head(bytes32 gateway)
        external
        view
        returns (uint64 epoch, uint64 size, bytes32 root, uint64 blockNumber, uint64 time)
    {
        Gateway storage g = gateways[gateway];
        Anchor storage a = anchors[gateway][g.epoch][g.size];
        return (g.epoch, g.size, a.root, a.blockNumber, a.time);
    }

    /* Zeros where not. */
    function anchored(bytes32 gateway, uint64 epoch, uint64 size)
        external
        view
        returns (bytes32 root, uint64 blockNumber, uint64 time)
    {
        Anchor storage a = anchors[gateway][epoch][size];
        return (a.root, a.blockNumber, a.time);
    }

    function gatewayInfo(bytes32 gateway)
        external
        view
        returns (string memory name, address sender, bytes32 publicKey, bool active)
    {
        Gateway storage g = gateways[gateway];
        return (g.name, g.sender, g.publicKey, g.active);
    }

    function forkCount(bytes32 gateway) external view returns (uint256) {
        return forkIds[gateway].length;
    }

    function fork(bytes32 gateway, uint256 index)
        external
        view
        returns (bytes32 id, bytes32 noteHashA, bytes32 noteHashB, uint64 blockNumber, uint64 time)
    {
        id = forkIds[gateway][index];
        Fork storage f = forks[id];
        return (id, f.noteHashA, f.noteHashB, f.blockNumber, f.time);
    }

    /* The check of anchor() by itself, for anybody's proof. False from oldSize 0: there is nothing to be consistent with. */
    function consistent(uint64 oldSize, bytes32 oldRoot, uint64 size, bytes32 root, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        return verifyConsistency(oldSize, oldRoot, size, root, proof);
    }

    // --- inside ---

    function addAdmin(address admin) private {
        if (admin == address(0)) revert ZeroValue();
        if (isAdmin[admin]) return;
        isAdmin[admin] = true;
        adminCount++;
        emit AdminSet(admin, true);
    }

    function activeGateway(bytes32 gateway) private view returns (Gateway storage g) {
        g = gateways[gateway];
        if (g.sender == address(0)) revert NotRegistered();
        if (!g.active) revert Revoked_();
    }

    /* Letters, digits, '.', '_', ':' and '-', as the gateway's configuration has it: an origin is NAME/EPOCH. */
    function nameIsValid(bytes calldata name) private pure returns (bool) {
        if (name.length == 0 || name.length > NAME_MAX || name[0] == ".") return false;
        for (uint256 i = 0; i < name.length; i++) {
            bytes1 c = name[i];
            bool letter = (c >= "a" && c <= "z") || (c >= "A" && c <= "Z");
            bool digit = c >= "0" && c <= "9";
            if (!letter && !digit && c != "." && c != "_" && c != ":" && c != "-") return false;
        }
        return true;
    }

    function isAnchored(bytes32 gateway, uint64 epoch, uint64 size, bytes32 root) private view returns (bool) {
        Anchor storage a = anchors[gateway][epoch][size];
        return a.blockNumber != 0 && a.root == root;
    }

    function verifyConsistency(
        uint64 oldSize,
        bytes32 oldRoot,
        uint64 size,
        bytes32 root,
        bytes32[] calldata proof
    ) private view returns (bool) {
        if (oldSize == 0 || oldSize > size) return false;
        if (oldSize == size) return proof.length == 0 && oldRoot == root;

        // A perfect old tree is itself the first node; a proof then leaves it out.
        bool perfect = oldSize & (oldSize - 1) == 0;
        if (!perfect && proof.length == 0) return false;
        (bool whole, bytes32 oldGot, bytes32 got) =
            rootsOf(oldSize, size, perfect ? oldRoot : proof[0], proof[perfect ? 0 : 1:]);
        return whole && oldGot == oldRoot && got == root;
    }

    function excludeEachOther(
        uint64 size,
        bytes32 root,
        uint64 otherSize,
        bytes32 otherRoot,
        bytes32[] calldata proof
    ) private view returns (bool) {
        if (size == 0 || size > otherSize) return false;
        if (size == otherSize) return proof.length == 0 && root != otherRoot;
        if (proof.length == 0) return false;

        (bool whole, bytes32 got, bytes32 otherGot) = rootsOf(size, otherSize, proof[0], proof[1:]);
        return whole && otherGot == otherRoot && got != root;
    }

    /* RFC 9162 2.1.4.2, 0 < oldSize < size: the roots at both sizes that follow from the node where the walk begins and the
     * nodes on its way to the root. Not whole: the way has too few or too many of them. */
    function rootsOf(uint64 oldSize, uint64 size, bytes32 node, bytes32[] calldata path)
        private
        view
        returns (bool whole, bytes32 oldRoot, bytes32 root)
    {
        uint256 fn = oldSize - 1;
        uint256 sn = size - 1;

        while (fn & 1 == 1) {
            fn >>= 1;
            sn >>= 1;
        }
        oldRoot = node;
        root = node;
        for (uint256 i = 0; i < path.length; i++) {
            if (sn == 0) return (false, 0, 0);
            bytes32 next = path[i];
            if (fn & 1 == 1 || fn == sn) {
                // The same until the walk leaves the old tree's right edge.
                bool shared = oldRoot == root;
                oldRoot = hashNode(next, oldRoot);
                root = shared ? oldRoot : hashNode(next, root);
                while (fn & 1 == 0 && fn != 0) {
                    fn >>= 1;
                    sn >>= 1;
                }
            } else {
                root = hashNode(root, next);
            }
            fn >>= 1;
            sn >>= 1;
        }
        return (sn == 0, oldRoot, root);
    }

    /* SHA-256(0x01 || left || right). In assembly, since it is most of what a proof costs: the built-in function takes
     * new memory for each call. */
    function hashNode(bytes32 left, bytes32 right) private view returns (bytes32 hash) {
        bool done;

        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore8(p, 1)
            mstore(add(p, 1), left)
            mstore(add(p, 33), right)
            done := staticcall(gas(), 2, p, 65, p, 32)
            done := and(done, eq(returndatasize(), 32))
            hash := mload(p)
        }
        if (!done) revert NoSha256();
    }
}
