#!/bin/sh
# The part of crm_attribute, crm_master, attrd_updater and crm_node that resource agents use, for the node they run on.
# Changes are appended to $RECONCILER_ATTRIBUTES; see reconciler/agents/attributes.py.

command=$1
shift
name= value= action= quiet= promotion= default= has_default= delay= node= type= lifetime=

fail() {
    echo "$command: $1" >&2
    exit "$2"
}

options() {
    case $command in
    crm_node) getopt -o nNqilpLV -l name,quiet,cluster-id,list,partition,verbose -n "$command" -- "$@" ;;
    attrd_updater)
        getopt -o n:U:B:v:DQYRS:s:d:N:O:pqAPW:V -n "$command" \
            -l name:,update:,update-both:,delete,query,update-delay,refresh,section:,set:,delay:,node:,output-as:,quiet,private,wait:,verbose \
            -- "$@"
        ;;
    *)
        getopt -o n:v:GDl:N:U:t:s:d:p::PqQri:!zV -n "$command" \
            -l name:,attr-name:,update:,attr-value:,query,delete,lifetime:,node:,type:,set-name:,default:,promotion::,pattern:,quiet,verbose \
            -- "$@"
        ;;
    esac
}

# Options bundled as "-p -v 5" and "-v5" alike are put in order by getopt, so one loop reads them all.
parsed=$(options "$@") || exit 64
eval "set -- $parsed"
while [ "$1" != "--" ]; do
    case $1 in
    -n | --name | --attr-name)
        if [ "$command" = crm_node ]; then action=name; else
            name=$2
            shift
        fi
        ;;
    -v | --update | --attr-value)
        action=set value=$2
        shift
        ;;
    -U)
        if [ "$command" = attrd_updater ]; then action=set value=$2; else node=$2; fi
        shift
        ;;
    -B | --update-both)
        action=set value=$2
        shift
        ;;
    -D | --delete) action=delete ;;
    -G | --query) action=query ;;
    -Q) if [ "$command" = attrd_updater ]; then action=query; else quiet=1; fi ;;
    -q | --quiet) [ "$command" = crm_node ] || quiet=1 ;;
    -p)
        if [ "$command" = attrd_updater ]; then :; else
            promotion=${2:-$OCF_RESOURCE_INSTANCE}
            shift
        fi
        ;;
    --promotion)
        promotion=${2:-$OCF_RESOURCE_INSTANCE}
        shift
        ;;
    -d | --default)
        if [ "$command" = attrd_updater ]; then delay=$2; else default=$2 has_default=1; fi
        shift
        ;;
    --delay)
        delay=$2
        shift
        ;;
    -N | --node)
        if [ "$command" = crm_node ]; then action=name; else
            node=$2
            shift
        fi
        ;;
    -t | --type)
        type=$2
        shift
        ;;
    -l | --lifetime)
        if [ "$command" = crm_node ]; then fail "the members are not told here" 3; fi
        lifetime=$2
        shift
        ;;
    -P | -r | -i | --pattern | -z | -Y | -R | --refresh | --update-delay)
        fail "option $1 is not available under reconciler" 3
        ;;
    -s | --set-name | --set | -S | --section | --output-as | -O | -W | --wait) shift ;;
    *) ;;
    esac
    shift
done

this_node=${OCF_RESKEY_CRM_meta_on_node:-$(uname -n)}
if [ "$command" = crm_node ]; then
    [ "$action" = name ] || fail "only -n is available under reconciler" 3
    echo "$this_node"
    exit 0
fi

[ "$command" = crm_master ] && promotion=${promotion:-$OCF_RESOURCE_INSTANCE}
if [ -n "$promotion" ]; then
    # Instances of an anonymous clone share one name, without the number.
    case $OCF_RESKEY_CRM_meta_globally_unique in
    true | yes | on | 1) name=master-$promotion ;;
    *) name=master-${promotion%%:*} ;;
    esac
fi
[ -n "$name" ] || fail "no attribute is named" 64
[ -z "$node" ] || [ "$node" = "$this_node" ] || [ "$node" = localhost ] || [ "$node" = local ] ||
    fail "only attributes of this node can be reached under reconciler" 3
case $type in
"" | status | nodes | node | reboot | forever) ;;
*) fail "attributes of type $type can't be reached under reconciler" 3 ;;
esac

# What is to outlive a reboot is configuration, and that is in git.
if [ "$command" = crm_attribute ] && [ -z "$promotion" ] && [ "${action:-query}" != query ]; then
    case $lifetime:$type in
    reboot:* | :status | :reboot) ;;
    *) fail "permanent attributes are set in the configuration, not by agents (--lifetime reboot can be)" 3 ;;
    esac
fi

known_value() {
    if [ -n "$RECONCILER_ATTRIBUTES" ] && [ -r "$RECONCILER_ATTRIBUTES" ]; then
        last=$(awk -v name="$name" '$2 == name { line = $0 } END { print line }' "$RECONCILER_ATTRIBUTES")
        case $last in
        "set "*)
            last=${last#set }
            printf '%s\n' "${last#"$name "}"
            return 0
            ;;
        "delete "*) return 1 ;;
        esac
    fi
    [ -r "$RECONCILER_KNOWN_ATTRIBUTES" ] || return 1
    awk -v name="$name" '$1 == name { print substr($0, length(name) + 2); found = 1; exit } END { exit !found }' \
        "$RECONCILER_KNOWN_ATTRIBUTES"
}

case ${action:-query} in
query)
    if ! value=$(known_value); then
        [ -n "$has_default" ] || fail "$name has no value here" 105
        value=$default
    fi
    if [ -n "$quiet" ]; then
        printf '%s\n' "$value"
    elif [ "$command" = attrd_updater ]; then
        printf 'name="%s" host="%s" value="%s"\n' "$name" "$this_node" "$value"
    else
        printf 'scope=status  name=%s value=%s\n' "$name" "$value"
    fi
    ;;
set | delete)
    [ -n "$RECONCILER_ATTRIBUTES" ] || fail "attributes can be set only during an agent call" 1
    case $name$value$delay in
    *"
"*) fail "a value can't hold line ends" 64 ;;
    esac
    if [ -n "$delay" ]; then
        printf 'delay %s %s\n' "$name" "$delay" >>"$RECONCILER_ATTRIBUTES" || fail "can't note the change" 1
    fi
    if [ "$action" = set ]; then line="set $name $value"; else line="delete $name"; fi
    printf '%s\n' "$line" >>"$RECONCILER_ATTRIBUTES" || fail "can't note the change" 1
    ;;
esac
exit 0
