# Keeps the books of the drivers that the server keeps, from the storm's own book of deeds and the
# server's log:
#
#   awk -v kept=COUNT [-v show=WHAT] -f books.awk DEEDS LOG
#
# With show=kept it prints the pids of the kept drivers that live; with show=owed, how many dead
# ones are still to be replaced. Without, it prints what is wrong: each kept driver that is gone was
# deleted or got TERM, or got KILL and was replaced; no other one was replaced; whoever was deleted
# is gone. The last line then is how many were replaced, have died, and are kept.

function wrong(what) {
    if (!show)
        print what
}

# A kept driver is gone: deleted, by TERM, by KILL, or as a line of the log tells.
function leaves(pid, how) {
    if (how == "deleted" || how == "TERM") {
        if (!((how, pid) in deeds))
            wrong(pid " left, though nobody told it to")
        polite++
    } else {
        if (how != "KILL" || !(("KILL", pid) in deeds))
            wrong(pid " died of " how ", which nobody dealt")
        owed++
    }
    delete is_kept[pid]
}

$1 == "deed" { deeds[$2, $3] = 1; next }
$2 != "driver" { next }

$4 == "started" {
    lives[$3] = 1
    if (started++ < kept)
        is_kept[$3] = 1
}

$4 == "replaces" {
    if (owed-- <= 0)
        wrong($3 " replaces nobody")
    if (("made", $3) in deeds)
        wrong($3 " was made by us, and replaces one")
    is_kept[$3] = 1
    replaced++
}

$4 == "died" { died++ }

$4 == "died" || $4 == "ended" {
    delete lives[$3]
    if (!($3 in is_kept))
        next
    if ($4 == "ended")
        leaves($3, "deleted")
    else if (/status 0\)/)
        leaves($3, "TERM")
    else
        leaves($3, /signal 9\)/ ? "KILL" : $0)
}

END {
    if (show == "owed") {
        print owed + 0
        exit
    }
    for (pid in is_kept) {
        if (show == "kept")
            print pid
        left++
    }
    if (show)
        exit
    for (deed in deeds) {
        split(deed, of, SUBSEP)
        if (of[1] == "deleted" && of[2] in lives)
            wrong(of[2] " was deleted, and lives")
    }
    if (owed)
        wrong(owed " are not replaced")
    if (left != kept - polite)
        wrong(left " of " kept " are kept, and " polite + 0 " were told to go")
    print replaced + 0, died + 0, left + 0
}
