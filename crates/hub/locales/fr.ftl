# Shieldwall, français. Les clés sont celles de en.ftl ; un test y veille. `$shown` est `$count` tel qu’il s’écrit.

## Le cadre de chaque page
app-name = Shieldwall
language-name = Français
skip-to-content = Aller au contenu
nav-label = Navigation principale
nav-picture = Situation
nav-warnings = Alertes
nav-warnings-new = nouvelles
nav-intelligence = Renseignement
nav-sensors = Sondes
nav-members = Membres
nav-ledger = Registre
live-open = En direct
live-connecting = Connexion
live-closed = Hors ligne
theme = Thème
theme-light = Clair
theme-auto = Comme le système
theme-dark = Sombre
sign-out = Se déconnecter
realm-exercise = Exercice
realm-exercise-note = { $name }. Rien de ceci n’est réel.
announce-one = Nouvelle alerte : {"{"}title{"}"}
announce-many = {"{"}count{"}"} nouvelles alertes
foot-api = Description de l’API
foot-licences = Licences
breadcrumb = Fil d’Ariane
pages = Pages
page-first = Première page
page-next = Suivant
page-newest = Plus récentes
page-older = Plus anciennes
as-of = État au
copy = Copier
copied = Copié
copy-value = Copier { $value }
copy-root = Copier la racine
details = Détails
command = Commande
never = jamais
table-of = { $name } (tableau)
facts-title = En bref

## Nombres et dates
moment = { $day ->
    [1] 1er
   *[other] { $day }
} { $month } { $year } à { $clock } UTC
day = { $day ->
    [1] 1er
   *[other] { $day }
} { $month } { $year }
month-1 = janv.
month-2 = févr.
month-3 = mars
month-4 = avr.
month-5 = mai
month-6 = juin
month-7 = juil.
month-8 = août
month-9 = sept.
month-10 = oct.
month-11 = nov.
month-12 = déc.
ago-now = à l’instant
ago-seconds = il y a { $shown } s
ago-minutes = il y a { $shown } min
ago-hours = il y a { $shown } h
ago-days = { $count ->
    [one] il y a { $shown } jour
   *[other] il y a { $shown } jours
}
seconds-short = { $number } s
list-and = { $first } et { $last }
bytes-count = { $shown } o
members-count = { $count ->
    [one] { $shown } membre
   *[other] { $shown } membres
}
entries-count = { $count ->
    [one] { $shown } entrée
   *[other] { $shown } entrées
}
objects-count = { $count ->
    [one] { $shown } objet
   *[other] { $shown } objets
}
rows-more = { $count ->
    [one] et { $shown } autre
   *[other] et { $shown } autres
}
values-more = { $count ->
    [one] et { $shown } autre valeur
   *[other] et { $shown } autres valeurs
}

## Connexion, première mise en service
sign-in-title = Connexion
sign-in-submit = Se connecter
sign-in-help = Pas de compte ou mot de passe perdu ? Adressez-vous à l’exploitant de ce hub.
sign-in-wrong = Nom ou mot de passe incorrect.
sign-in-throttled = { $count ->
    [one] Trop de tentatives. Attendez une minute avant de réessayer.
   *[other] Trop de tentatives. Attendez { $shown } minutes avant de réessayer.
}
link-used-title = Ce lien a déjà servi
link-used-text = Un lien ne sert qu’une fois et pendant un jour au plus. Connectez-vous avec votre mot de passe ou demandez un nouveau lien à l’exploitant de ce hub.
link-used-sign-in = Se connecter
setup-title = Mettre ce hub en service
setup-lead = Ce lien ne sert qu’une fois. Il crée le premier membre de l’alliance et le compte qui exploite le hub.
setup-member = Le premier membre
setup-operator = Son exploitant
setup-submit = Mettre en service et se connecter
field-name = Nom
field-password = Mot de passe
field-password-again = Mot de passe, une seconde fois
password-hint = Au moins { $shown } caractères. Quatre ou cinq mots sans rapport font très bien l’affaire.
field-sign-in-name = Nom de connexion

## Problèmes
problem-title = L’opération a échoué
problem-title-400 = Demande illisible
problem-title-403 = Votre rôle ne le permet pas
problem-title-404 = Rien à cette adresse
problem-title-405 = Pas de cette façon
problem-title-410 = N’existe plus
problem-title-413 = Trop volumineux
problem-title-414 = Trop long
problem-title-422 = Impossible en l’état
problem-title-429 = Trop de demandes à la fois
problem-title-500 = Le hub est en défaut
problem-title-503 = Le hub est surchargé
problem-title-507 = Le disque est plein
problem-code = Code :
problem-home = Vers la situation
problem-access-hidden = Cette page n’existe pas ou n’est pas destinée à votre membre.
problem-access-role = Votre rôle ne permet pas cette action. Demandez à votre exploitant un compte doté d’un autre rôle.
problem-auth-csrf = Ce formulaire a expiré. Revenez en arrière, rechargez la page et renvoyez-le.
problem-auth-token-unknown = Cette session ou ce jeton est inconnu, expiré ou révoqué. Reconnectez-vous.
problem-auth-link-used = Ce lien a déjà servi ou a expiré.
problem-auth-password-differs = Les deux mots de passe diffèrent. Saisissez deux fois le même.
problem-auth-password-guessable = Ce mot de passe se répète ou contient le nom. Quatre ou cinq mots sans rapport font très bien l’affaire.
problem-auth-password-long = Un mot de passe compte au plus 256 caractères.
problem-auth-password-short = Un mot de passe compte au moins 15 caractères. Quatre ou cinq mots sans rapport font très bien l’affaire.
problem-cursor-stale = Cette page de la liste n’existe plus. Reprenez à la première.
problem-group-ceiling = Choisissez le marquage le plus strict que le groupe peut porter.
problem-group-empty = Un groupe de partage compte au moins un membre. Cochez ses participants.
problem-group-member-unknown = L’un des participants n’est pas membre de l’alliance.
problem-group-names = Précisez si les déclarants sont nommés.
problem-hub-busy = Le hub traite tout ce qu’il peut. Réessayez dans un instant.
problem-hub-fault = Le hub n’a pas pu aboutir. Son journal dit pourquoi ; donnez l’heure et le code à votre exploitant.
problem-ledger-append-disk-full = Le disque du hub est plein. Rien n’a été enregistré. Son exploitant doit libérer de la place.
problem-ledger-checkpoint-none = Ce journal n’a pas encore de point de contrôle. Il en est signé un dans la minute qui suit la première entrée.
problem-ledger-verify-long = Ce journal est trop long pour être vérifié pendant que vous attendez. Lancez « shieldwall verify » sur le hub.
problem-member-country = Un pays s’écrit en deux lettres selon ISO 3166-1, par exemple LU.
problem-member-kind = Un membre est un État, une organisation, une entreprise ou un partenaire.
problem-member-name-taken = Un membre de ce nom fait déjà partie de l’alliance.
problem-member-sectors = Un membre répond de 50 secteurs au plus.
problem-name-unfit = Un nom compte de 1 à 200 octets, sans caractère de contrôle.
problem-object-recall-reason = Dites en quelques mots pourquoi l’objet est retiré (2 000 octets au plus).
problem-query-too-long = Cette adresse est trop longue.
problem-query-unreadable = Une partie de cette adresse est illisible. Repartez de la page elle-même.
problem-route-method = Cette adresse ne s’ouvre pas ainsi. Repartez de la page elle-même.
problem-stix-owner-other = Cet objet a été partagé par un autre membre. Seul son propriétaire peut le retirer.
problem-token-days = Un jeton vaut de 1 à 366 jours.
problem-token-member-unknown = Choisissez le membre pour lequel le jeton agit.
problem-token-role = Choisissez le rôle du jeton.
problem-user-member-unknown = Choisissez le membre pour lequel la personne agit.
problem-user-name-taken = Ce nom est déjà pris. Choisissez-en un autre.
problem-user-role = Choisissez le rôle de la personne. Les sondes et les hubs pairs ont des jetons d’API, pas de compte.
problem-warning-note-long = Cette note est trop longue.

## Marquages, rôles, états
marking-none = Sans marquage
role-label-kill-switch = Interrupteur d’arrêt : ne pas bloquer
role-label-malicious = Malveillant
role-label-suspect = Suspect
role-label-vaccine = Vaccin : ne pas supprimer
role-label-victim-infrastructure = Chez la victime : ne pas bloquer
role-kill-switch = Le maliciel s’arrête là où il peut joindre ce nom. Une machine qui le demande est infectée : isolez la machine, laissez le nom joignable.
role-malicious = Il appartient à l’attaque.
role-suspect = Il peut fort bien être anodin. Surveillez-le et n’agissez pas sur ce seul indice.
role-vaccine = Sa présence protège une machine du maliciel.
role-victim-infrastructure = Il appartient à une victime de l’attaque. Prévenez son propriétaire ; le bloquer frapperait la victime une seconde fois.
state-calm = Calme
state-warned = Alerté
state-hit = Touché
state-silent = Sans nouvelles
state-live = Active
state-late = En retard
state-silent-sensor = Muette
person-role-analyst = Analyste
person-role-auditor = Auditeur
person-role-delegate = Délégué
person-role-observer = Observateur
person-role-officer = Officier de permanence
person-role-operator = Exploitant
person-role-peer = Hub pair
person-role-sensor = Sonde
person-role-public = Public

## La situation
picture-title = La situation
picture-lead = Une attaque contre l’un appelle la réponse de tous. Ce que l’alliance voit en ce moment.
tile-warnings = Alertes en cours
tile-warnings-note = { $count ->
    [0] toutes lues par votre membre
    [one] { $shown } non lue par votre membre
   *[other] { $shown } non lues par votre membre
}
tile-sightings = Événements détectés ce jour
tile-sightings-note = depuis minuit UTC
tile-indicators = Indicateurs actifs
tile-indicators-note = { $count ->
    [one] { $shown } objet partagé
   *[other] { $shown } objets partagés
}
tile-members = Membres
tile-members-note = dans cette alliance
tile-sensors = Sondes actives
tile-sensors-note = { $count ->
    [0] aucune muette
    [one] { $shown } muette
   *[other] { $shown } muettes
}
tile-sensors-none = aucune ne s’est manifestée
tile-median = Délai d’alerte médian
tile-median-note = { $count ->
    [one] sur { $shown } alerte reçue
   *[other] sur { $shown } alertes reçues
}
tile-p95 = Délai d’alerte, 95 sur 100
tile-p95-note = engagement : moins de 1 s
tile-time-none = aucune alerte reçue à ce jour
map-title = Membres par état
map-view = Cadrage de la carte
map-world = Monde
map-europe = Europe
map-members = Membres
map-label = Carte du monde des membres par état. Les flèches passent d’un pays à l’autre.
map-word-calm = calme
map-word-warned = alerté
map-word-hit = touché
map-word-silent = sans nouvelles
map-failed = La carte n’a pas pu être chargée. Le tableau ci-dessous dit la même chose.
map-table = Sous forme de tableau
map-unplaced = Hors de la carte : { $members }.
map-detail-calm = Aucune alerte en cours.
map-detail-warned = { $count ->
    [one] A reçu { $count } alerte en cours.
   *[other] A reçu { $count } alertes en cours.
}
map-detail-hit = { $count ->
    [one] A déclaré une détection ; { $count } alerte en cours.
   *[other] A déclaré une détection ; { $count } alertes en cours.
}
map-detail-silent = { $count ->
    [one] N’a pas confirmé { $count } alerte en cours.
   *[other] N’a pas confirmé toutes ses { $count } alertes en cours.
}
chart-title = Événements détectés par minute
chart-scope = dernière heure, UTC
chart-sightings = Détectés
chart-summary = { $count ->
    [0] Aucun événement détecté durant la dernière heure.
    [one] Un événement détecté durant la dernière heure.
   *[other] { $shown } événements détectés durant la dernière heure, dont { $peak } dans la minute la plus chargée.
}
chart-table = Sous forme de tableau
chart-none = Aucun événement détecté durant la dernière heure.
chart-failed = Le graphique n’a pas pu être chargé. Le tableau ci-dessous dit la même chose.
live-warnings-title = Alertes en cours
live-warnings-all = Toutes les alertes
feed-title = À l’instant
feed-all = Toutes les entrées
feed-empty = Rien pour le moment
feed-empty-text = Ce que les membres partagent, voient et lisent apparaît ici au fil de l’eau.
feed-hub = Le hub
feed-somebody = Un membre
feed-joined = { $who } a rejoint l’alliance
feed-joined-many = { $members } ont rejoint l’alliance
feed-formed = Le groupe de partage { $what } a été constitué
feed-shared = { $who } a partagé { $what }
feed-objects = { $count ->
    [one] { $shown } objet
   *[other] { $shown } objets
}
feed-indicators = { $count ->
    [one] { $shown } indicateur
   *[other] { $shown } indicateurs
}
feed-recalled = { $who } a retiré { $what }
feed-saw = { $count ->
    [one] { $who } a vu { $what } une fois
   *[other] { $who } a vu { $what } { $shown } fois
}
feed-warned = { $count ->
    [one] { $shown } membre a été alerté : { $what }
   *[other] { $shown } membres ont été alertés : { $what }
}
feed-read = { $who } a lu l’alerte sur { $what }

## Alertes
warnings-title = Alertes
warnings-lead = Ce qui a été vu dans l’alliance, ce que cela signifie pour votre membre, et que faire.
warnings-show = Afficher
warnings-open = En cours
warnings-new = Non lues
warnings-all = Toutes
warnings-empty = Aucune alerte
warnings-empty-text = La prochaine apparaîtra ici moins d’une seconde après la détection.
warning-new = Nouvelle
warning-acknowledged = Acquittée
warning-withdrawn = Retirée
warning-withdrawn-text = Le propriétaire a retiré l’indicateur. Annulez les mesures prises à ce titre.
warning-past = Après coup
warning-title-past = { $count ->
    [one] { $name } : passé chez { $shown } membre avant d’être connu
   *[other] { $name } : passé chez { $shown } membres avant d’être connu
}
warning-seen-past = Retrouvé dans ce qui est passé : entre le { $first } et le { $last }. Personne ne l’a vu depuis.
warning-mine-past = Votre propre réseau est concerné : vous avez été touché alors. Examinez les machines de cette époque ; rien ne dit que cela continue.
warning-title = { $count ->
    [one] { $name } : vu par { $shown } membre
   *[other] { $name } : vu par { $shown } membres
}
warning-seen = { $count ->
    [one] Vu une fois entre le { $first } et le { $last }.
   *[other] Vu { $shown } fois entre le { $first } et le { $last }.
}
warning-seen-at = { $count ->
    [one] Vu une fois, le { $first }.
   *[other] Vu { $shown } fois, le { $first }.
}
warning-seen-day = { $count ->
    [one] Vu une fois le { $day } entre { $first } et { $last } UTC.
   *[other] Vu { $shown } fois le { $day } entre { $first } et { $last } UTC.
}
warning-by-named = Déclaré par { $names }.
warning-by-hidden = { $count ->
    [one] Déclaré par un membre qui n’est pas nommé ici.
   *[other] Déclaré par { $shown } membres qui ne sont pas nommés ici.
}
warning-sectors = Secteurs : { $sectors }.
warning-mine-seen-malicious = Votre propre réseau est concerné. Tenez les machines en cause pour compromises jusqu’à preuve du contraire.
warning-mine-seen-kill-switch = Votre propre réseau est concerné. Les machines qui l’ont demandé sont infectées : isolez-les.
warning-mine-seen-suspect = Votre propre réseau est concerné. Examinez les machines en cause avant d’agir.
warning-mine-seen-vaccine = Il a aussi été vu dans votre réseau. Laissez-le en place.
warning-mine-seen-victim-infrastructure = Votre propre réseau a été en contact avec lui. Cherchez pourquoi.
warning-mine-unseen = Vos propres sondes ne l’ont pas signalé.
warning-mine-blind = Aucune de vos sondes ne rend compte à ce hub : personne ne l’a donc cherché dans votre réseau.
warning-acknowledged-by = { $count ->
    [0] Aucun des { $parties } membres ne l’a encore reçue
    [one] { $shown } membre sur { $parties } l’a reçue
   *[other] { $shown } membres sur { $parties } l’ont reçue
}
warning-acknowledged-toast = Alerte acquittée
acknowledge = Acquitter
acknowledge-all = Acquitter les { $shown }
do-check = Vérifiez
do-block = Bloquez
do-block-values = les valeurs ci-dessous.
do-watch = Surveillez
do-watch-why = et ne bloquez pas sur ce seul indice.
check-names = les journaux DNS et de proxy à la recherche de ces noms, aussi loin qu’ils remontent, et les machines qui les ont demandés.
check-connections = les journaux de flux et de pare-feu à la recherche de connexions vers ces adresses, et les machines concernées.
check-files = les postes et les passerelles de messagerie à la recherche de fichiers portant ces empreintes ou ces noms, et ce qui les a lancés.
check-mail = les journaux de messagerie à la recherche de ces adresses : qui a reçu quoi, et qui l’a ouvert.
check-other = vos journaux à la recherche de ces valeurs, et les machines concernées.
hold-title-kill-switch = Ne bloquez pas ceci.
hold-title-vaccine = Ne supprimez pas ceci.
hold-title-victim-infrastructure = Ne bloquez pas ceci.
cluster-title = { $count ->
    [one] { $name } : { $shown } alerte
   *[other] { $name } : { $shown } alertes
}
cluster-both = Ces alertes vont ensemble parce que toutes deux indiquent { $what }.
cluster-all = Ces { $shown } alertes vont ensemble parce que toutes indiquent { $what }.
cluster-many = { $shown } de ces alertes vont ensemble parce qu’elles indiquent { $what }.
cluster-why = Les relations qui l’établissent
cluster-proof = { $warning } indique { $what } ({ $via })
cluster-relationship = relation
warning-todo-title = Que faire
reports-title = Qui l’a vu, et quand
reporter-own = Votre membre (non nommé aux autres)
reporter-unnamed = Membre { $shown }, non nommé
notes-title = Qui l’a reçue
notes-none = Personne pour le moment.
field-note = Note
field-note-hint = Facultative. Tous les participants du groupe de partage peuvent la lire.
fact-indicator = Indicateur
fact-kind = Nature de la valeur
fact-fields = Vu dans
fact-raised = Alerte émise
fact-revision = Révision
fact-contexts = Mène à
fact-role = Rôle
fact-valid-until = Valable jusqu’au
fact-values = Valeurs
fact-unmatched = Non recherché
fact-unmatched-text = Les sondes ne recherchent pas ce motif :
fact-id = Identifiant
value-kind-domain-name = Nom de domaine
value-kind-url = URL
value-kind-ipv4-addr = Adresse IPv4
value-kind-ipv6-addr = Adresse IPv6
value-kind-ipv4-cidr = Réseau IPv4
value-kind-ipv6-cidr = Réseau IPv6
value-kind-ip-port = Adresse et port
value-kind-email-addr = Adresse électronique
value-kind-md5 = Empreinte MD5
value-kind-sha1 = Empreinte SHA-1
value-kind-sha256 = Empreinte SHA-256
value-kind-sha512 = Empreinte SHA-512
value-kind-ja3 = Signature JA3
value-kind-ja4 = Signature JA4
value-kind-file-name = Nom de fichier
value-kind-crypto-address = Adresse de paiement

## Renseignement
intelligence-title = Renseignement
intelligence-lead = Tout ce qui est partagé avec votre membre, en texte intégral.
filter-text = Rechercher
filter-text-hint = Nom, valeur, empreinte, CVE
filter-type = Type
filter-type-any = Tous les types
filter-marking = Marquage
filter-marking-any = Tous les marquages
filter-group = Groupe de partage
filter-group-any = Tous les groupes
filter-submit = Rechercher
filter-show = Afficher
objects-title = Objets
objects-shown = { $count ->
    [one] { $shown } objet sur cette page, du plus récent au plus ancien
   *[other] { $shown } objets sur cette page, du plus récent au plus ancien
}
objects-none = Rien n’est encore partagé
objects-none-text = Importez un lot STIX, une liste de valeurs ou un fichier CSV.
objects-none-found = Aucun résultat
objects-none-found-text = Essayez moins de mots, un autre type ou un autre groupe.
objects-clear = Tout afficher
object-withdrawn = Retiré
owner-none = Le hub
description-title = Description
relations-title = Relations
relations-count = { $count ->
    [one] { $shown } relation
   *[other] { $shown } relations
}
relations-none = Rien ne mène ici, et ceci ne mène nulle part.
relation-out = vers
relation-in = depuis
graph-label = { $count ->
    [one] { $name } et sa relation ; le tableau contient la même.
   *[other] { $name } et ses { $shown } relations ; le tableau contient les mêmes.
}
graph-failed = Le graphe n’a pas pu être chargé. Le tableau dit la même chose.
object-warnings-title = Alertes à son sujet
object-warnings-none = Aucun membre ne l’a détecté.
json-title = Objet STIX
versions-title = Versions
version-none = Sans version
version-added = reçu le
recall-title = Retirer
recall-text = Les sondes cessent de le rechercher en quelques secondes, et les alertes à son sujet sont marquées comme retirées. L’entrée reste au registre.
recall-reason = Motif
recall-ask = Retirer…
recall-sure = Retirer cet objet ?
recall-do = Retirer
recall-keep = Conserver
graph-title = Graphe
graph-title-of = Graphe de { $name }
graph-lead = Suivez les liens : d’un indicateur à son logiciel malveillant, de là à ceux qui l’emploient.
graph-start = Par où commencer
graph-start-text = Cherchez un objet, ouvrez-le, puis choisissez « Explorer le graphe ».
graph-explore = Explorer le graphe
graph-neighbours = { $count ->
    [one] Lié à { $shown } objet
   *[other] Lié à { $shown } objets
}
graph-relation-any = Toutes les relations
graph-filter = Filtrer
graph-drawing = Dessin
graph-tools = Outils du dessin
graph-search = Chercher dans le dessin
graph-search-none = Rien de ce nom n’est dessiné.
graph-zoom-in = Agrandir
graph-zoom-out = Réduire
graph-fit = Cadrer
graph-types = Afficher ou masquer par type
graph-keys = Cliquez sur un objet pour le déplier. Au clavier : les flèches choisissent, Entrée déplie, P épingle, O ouvre sa page, + et − changent l’échelle, 0 cadre.
graph-expand = Déplier
graph-expanded = Déplié
graph-pin = Épingler
graph-unpin = Détacher
graph-full = Le dessin est complet à { $most } objets. Repartez de l’un d’eux.
graph-more = de plus, pas encore dessinés
graph-hidden = masqué
graph-table = Ce qui est dessiné
graph-alone = Rien ne lui est lié
graph-alone-filtered = Rien ne correspond au filtre.
graph-from-here = Partir d’ici
matrix-title = Matrice ATT&CK
matrix-lead = Les techniques des adversaires, colorées selon ce que cette alliance a partagé et vu.
matrix-none = Pas encore d’ATT&CK ici
matrix-none-text = La matrice est faite des objets partagés avec votre membre. Importez le lot STIX de MITRE, pour l’entreprise ou pour les systèmes industriels, et elle apparaîtra.
matrix-domain = Matrice
matrix-show = Techniques à afficher
matrix-show-all = Toutes
matrix-show-seen = Seulement ce qui a été partagé ou vu
matrix-band-0 = Rien de partagé
matrix-band-1 = Emploi connu
matrix-band-2 = Indicateurs partagés
matrix-band-3 = Vue par des membres
matrix-techniques = { $count ->
    [one] { $shown } technique
   *[other] { $shown } techniques
}
matrix-parts = { $count ->
    [one] { $shown } sous-technique
   *[other] { $shown } sous-techniques
}
matrix-said-warnings = { $count ->
    [one] { $shown } alerte
   *[other] { $shown } alertes
}
matrix-said-indicators = { $count ->
    [one] { $shown } indicateur
   *[other] { $shown } indicateurs
}
matrix-said-users = { $count ->
    [one] { $shown } utilisateur
   *[other] { $shown } utilisateurs
}
matrix-at-least = Tant est partagé que certains nombres sont des minimums.
matrix-table = Techniques, les plus fortes d’abord
versions-title-of = Versions de { $name }
versions-lead = Ce qui a été partagé, quand et par qui, et ce qui a changé d’une version à l’autre.
versions-from = De
versions-to = À
versions-compare = Comparer
versions-compare-link = Ce qui a changé
versions-compared = { $from } → { $to }
versions-one = Une seule version pour le moment
versions-one-text = Quand son propriétaire en partagera une autre, ce qui a changé sera montré ici.
versions-shown = Montrée ici
versions-what-changed = Ce qui a changé
changes-title = Changements
changes-none = Ces versions disent la même chose.
changes-more = { $count ->
    [one] { $shown } autre changement n’est pas montré.
   *[other] { $shown } autres changements ne sont pas montrés.
}
change-added = Ajouté
change-removed = Enlevé
change-changed = Modifié
timeline-title = Chronologie
event-shared = Partagé par { $who }
event-revised = Révisé par { $who }
event-recalled = Retiré par son propriétaire
event-revoked = Révoqué par son propriétaire
event-ended = Terminé : { $why }
event-sighted = Vu pour la première fois : { $warning }
event-warning = une alerte a été émise
audience-title = Qui verra ceci
audience-alone = Personne d’autre que votre membre.
audience-others = { $count ->
    [one] Votre membre et { $shown } autre.
   *[other] Votre membre et { $shown } autres.
}
meaning-title = Ce qu’ils peuvent en faire
tlp-meaning-none = Rien n’est dit de sa diffusion. Il reste entre les participants du groupe.
tlp-meaning-clear = Chacun peut le savoir, et il peut être publié.
tlp-meaning-green = Ils peuvent le transmettre dans leur communauté, mais pas le publier.
tlp-meaning-amber = Ils peuvent le transmettre dans leur organisation et à ses clients, à ceux qui ont besoin d’en connaître.
tlp-meaning-amber-strict = Ils peuvent le transmettre dans leur seule organisation, à ceux qui ont besoin d’en connaître.
tlp-meaning-red = Pour les seuls destinataires. Personne ne le transmet.
format-stix = STIX
format-misp = MISP
format-csv = CSV
format-plain = Liste
format-prose = Texte libre
format-any = Reconnu par le contenu
import-title = Partager du renseignement
import-lead = Collez ou téléversez, regardez ce qui se passerait, voyez qui le verra, puis partagez. Rien n’est envoyé avant la dernière étape.
import-steps = Étapes
import-step-give = Coller ou téléverser
import-step-preview = Regarder
import-step-audience = Qui le verra
import-step-report = Terminé
import-step-done = fait
import-content = Collez ici
import-content-hint = Un lot STIX, un événement MISP, du CSV, une valeur par ligne, ou du texte libre contenant des adresses, noms, URL et empreintes. Les graphies comme hxxp et [.] sont comprises.
import-file = Ou choisissez un fichier
import-file-hint = Au plus { $most } Mio. Au-delà, utilisez la commande shieldwall feed import.
import-look = Regarder d’abord
import-nothing-yet = Rien n’est encore partagé.
import-format = Reconnu comme
import-accepted = Seraient partagés
import-accepted-done = Partagés
import-refused = Refusés
import-repeated = Déjà connus
import-options = Comment ce serait partagé
import-name = Nom
import-name-hint = Par exemple : hameçonnage du 12 mai
import-again = Regarder encore
import-who = Qui le verra
import-back = Retour
import-cut = { $count ->
    [one] { $shown } est refusé et reste chez vous.
   *[other] { $shown } sont refusés et restent chez vous.
}
import-cut-parts = { $count ->
    [one] De { $shown } objet, les parties marquées plus strictement que le groupe ne le permet sont retranchées. Le tout est gardé pour votre seul membre.
   *[other] De { $shown } objets, les parties marquées plus strictement que le groupe ne le permet sont retranchées. Le tout est gardé pour votre seul membre.
}
import-held = Ce qui serait retenu
import-held-said = { $count ->
    [one] { $shown } serait retenu jusqu’à ce qu’un analyste d’un autre membre l’ait examiné.
   *[other] { $shown } seraient retenus jusqu’à ce qu’un analyste d’un autre membre les ait examinés.
}
import-read-as = Lire comme
import-column = Colonne des valeurs
import-column-kind = Colonne des natures
import-column-label = Colonne des étiquettes
import-column-any = Trouvée par le contenu
event-version = version du { $at }
import-for-good = L’inscription au registre du groupe est définitive, au nom de votre membre. Vous pourrez retirer l’objet plus tard ; l’entrée demeure.
import-share = Partager maintenant
import-shared = Ce qui serait partagé
import-shared-done = Ce qui a été partagé
import-revises = nouvelle version
import-refusals = Ce qui est refusé, et pourquoi
import-remarks = Pris bien que la norme conseille autrement
import-done = Partagé.
import-done-none = Rien de nouveau n’a été partagé.
import-see = Voir
import-more = Partager autre chose
problem-import-too-large = C’est trop grand pour cette page. Utilisez la commande shieldwall feed import, ou partagez en plusieurs fois.
problem-format-empty = Collez quelque chose, ou choisissez un fichier.
type-attack-pattern = Mode opératoire
type-campaign = Campagne
type-course-of-action = Contre-mesure
type-identity = Identité
type-indicator = Indicateur
type-infrastructure = Infrastructure
type-intrusion-set = Groupe d’intrusion
type-location = Lieu
type-malware = Maliciel
type-malware-analysis = Analyse de maliciel
type-marking-definition = Marquage
type-note = Note
type-observed-data = Données observées
type-opinion = Avis
type-relationship = Relation
type-report = Rapport
type-sighting = Détection
type-threat-actor = Acteur de la menace
type-tool = Outil
type-vulnerability = Vulnérabilité
type-grouping = Regroupement
type-incident = Incident
type-extension-definition = Extension
type-language-content = Traduction

## Sondes
sensors-title = Sondes
sensors-lead = Chacune lit la télémétrie dans le réseau de son membre et ne signale que ce qui correspond.
sensors-none = Aucune sonde pour le moment
sensors-none-text = Une sonde lit votre télémétrie chez vous et ne signale que ce qui correspond. Créez un jeton dans le rôle Sonde, puis lancez-en une :
sensors-make-token = Créer un jeton
watchlist-version = version { $version }
sensor-rules-run = règles exécutées : { $count }
sensor-rules-passed-on = transmises à d’autres outils : { $count }
sensor-rules-left-out = écartées : { $count }
sensor-shed-matches = { $count } correspondances écartées
sensor-shed-evaluations = { $count } évaluations de règles lentes écartées
sensor-shed-rules = { $count } règles lentes mises de côté
sensor-shed-evicted = { $count } événements abandonnés trop tôt par des motifs
sensor-shed-late = { $count } événements trop tardifs pour les motifs sur plusieurs événements
sensor-slow-rule = lente : { $name }
sensor-withheld = { $count ->
    [one] { $shown } indicateur retenu : il toucherait une trop grande partie de ce réseau
   *[other] { $shown } indicateurs retenus : ils toucheraient une trop grande partie de ce réseau
}

## Membres et groupes de partage
members-title = Membres
members-lead = Qui compose l’alliance, et à quels groupes de partage votre membre participe.
members-heading = Membres
member-own = le vôtre
member-kind-nation = État
member-kind-organisation = Organisation
member-kind-company = Entreprise
member-kind-partner = Partenaire
groups-heading = Groupes de partage
group-alliance = Alliance
group-alliance-explained = Tous les membres y participent.
group-own = Votre membre seul
group-own-explained = Ce que votre membre ne partage avec personne : entre autres, ses détections nominatives.
group-parties = Participants
group-reporters = Qui l’a vu
group-names-shown = Nommés aux participants
group-names-hidden = Non nommés : seulement combien, et dans quels secteurs
admit-title = Admettre un membre
admit-submit = Admettre
form-group-title = Constituer un groupe de partage
form-group-submit = Constituer le groupe
field-member-name = Nom du membre
field-kind = Nature
field-country = Pays
field-country-hint = Deux lettres selon ISO 3166-1, par exemple LU. À laisser vide pour une organisation de plusieurs États.
field-sectors = Secteurs
field-group-name = Nom du groupe
field-ceiling = Marquage le plus strict
field-ceiling-hint = Ce qui est marqué plus strictement est refusé ici.
tab-search = Recherche
tab-graph = Graphe
tab-matrix = ATT&CK
tab-import = Partager
tab-members = Membres
tab-people = Personnes
tab-tokens = Jetons d’API

## Personnes et jetons
people-title = Personnes
people-lead = Qui peut se connecter, pour quel membre, dans quel rôle.
people-heading = Comptes
person-new = Nouveau compte
person-make = Créer le compte
person-open = Ouvert
person-closed = Fermé
tokens-title = Jetons d’API
tokens-lead = Pour les sondes, les autres hubs et les scripts. Un jeton agit pour un membre, dans un rôle.
tokens-heading = Jetons
tokens-none = Aucun jeton pour le moment
tokens-none-text = Il en faut un à une sonde pour rendre compte.
token-new = Nouveau jeton
token-make = Créer le jeton
token-made = Le jeton est créé.
token-made-text = Copiez-le maintenant : il ne sera plus affiché.
token-copy = Copier le jeton
token-good = Valable
token-expired = Expiré
token-revoked = Révoqué
token-revoke = Révoquer
token-revoke-title = Révoquer ce jeton ?
token-revoke-text = Ce qui l’utilise est aussitôt exclu. Cette action est irréversible.
token-keep = Conserver
field-label = Usage
field-label-hint = Par exemple : sonde de la passerelle de Luxembourg.
field-role = Rôle
field-days = Jours
field-days-hint = De 1 à { $shown }.

## Le registre
ledger-title = Registre
ledger-lead = Tout ce qui est consigné, dans l’ordre et pour de bon. Rien n’est modifié ; ce qui est retiré l’est par une nouvelle entrée.
field-log = Journal
filter-kind-any = Toutes les natures
kind-object-shared = Objet partagé
kind-object-recalled = Objet retiré
kind-object-revoked = Révocation établie
kind-object-versions-recalled = Versions retirées
kind-sighting-reported = Détection déclarée
kind-sighting-kept = Détection conservée
kind-telemetry-taken = Télémétrie prise en compte
kind-warning-acknowledged = Alerte acquittée
kind-member-joined = Membre admis
kind-group-formed = Groupe constitué
entries-title = Entrées
entries-none = Aucune entrée
entries-none-text = Rien de cette nature n’est consigné dans ce journal.
entries-shown = { $count ->
    [one] { $shown } entrée sur cette page, de la plus récente à la plus ancienne
   *[other] { $shown } entrées sur cette page, de la plus récente à la plus ancienne
}
author-hub = Le hub
entry-title = Entrée { $sequence }
entry-body = Contenu
entry-body-long = Ce contenu est trop long pour être affiché ici, ou n’est pas du JSON. L’API le donne.
entry-redacted = expurgé
entry-redacted-text = Ce contenu a été expurgé. L’entrée garde sa place et toutes les preuves restent valables.
entry-covered = Elle est couverte par le point de contrôle signé à { $size } entrées.
entry-uncovered = Elle est plus récente que le dernier point de contrôle signé ; le prochain la couvrira.
checkpoint-title = Point de contrôle
checkpoint-text = Signé par le hub sur toutes les entrées jusqu’à sa taille. Gardez-en une copie : qui en détient une remarque que l’histoire a été réécrite.
checkpoint-download = Télécharger
checkpoint-none = aucun pour le moment
checkpoint-none-text = Aucun pour le moment. Il en est signé un dans la minute qui suit la première entrée.
verify-title = Vérifier le journal
verify-log = Vérifier ce journal
verify-agrees = Le journal est vérifié.
verify-agrees-text = { $count ->
    [one] { $shown } entrée a été hachée à nouveau ; la racine et la signature concordent avec le point de contrôle.
   *[other] { $shown } entrées ont été hachées à nouveau ; la racine et la signature concordent avec le point de contrôle.
}
verify-differs = Le journal ne se vérifie pas.
verify-differs-text = Ne vous fiez plus à cette copie. Comparez avec les points de contrôle que détiennent les autres membres.
verify-entries = Entrées hachées à nouveau
verify-root = Racine de toutes les entrées (RFC 6962), recalculée à l’instant
verify-offline = La même chose sans se fier à ce hub, sur une copie de ses données :

## Colonnes
column-actions = Actions
column-added = Reçu
column-change = Changement
column-author = Par
column-by-machine = Par une machine
column-by-person = Par une personne
column-country = Pays
column-events = Événements
column-expires = Jusqu’au
column-first-seen = Vu d’abord
column-heard = Dernier signe
column-indicators = Indicateurs
column-kind = Nature
column-lag = Retard
column-last-seen = Vu en dernier
column-last-used = Dernier usage
column-matches = Correspondances
column-member = Membre
column-members = Membres
column-minute = Minute
column-note = Note
column-object = Objet
column-owner = Propriétaire
column-place = Endroit
column-property = Propriété
column-rate = Événements/s
column-reason = Pourquoi
column-relation = Relation
column-sectors = Secteurs
column-seen-by = Vu par
column-sensor = Sonde
column-sequence = Numéro
column-since = Depuis
column-size = Taille
column-spool = Non envoyés
column-state = État
column-tactics = Tactiques
column-technique = Technique
column-time = Heure
column-updated = Mis à jour
column-users = Utilisateurs
column-warning = Alerte
column-warnings = Alertes
column-watchlist = Liste de veille

## Secteurs (vocabulaire industry-sector de STIX 2.1, section 10.7)
sector-aerospace = aérospatiale
sector-agriculture = agriculture
sector-automotive = automobile
sector-chemical = chimie
sector-commercial = commerce
sector-communications = communications
sector-construction = construction
sector-dams = barrages
sector-defense = défense
sector-defence = défense
sector-education = enseignement
sector-emergency-services = services d’urgence
sector-energy = énergie
sector-entertainment = divertissement
sector-financial-services = finance
sector-government = administration publique
sector-government-emergency-services = services d’urgence
sector-government-local = administration locale
sector-government-national = administration nationale
sector-government-public-services = services publics
sector-government-regional = administration régionale
sector-health = santé
sector-healthcare = santé
sector-hospitality-leisure = hôtellerie et loisirs
sector-infrastructure = infrastructures
sector-infrastructure-dams = barrages
sector-infrastructure-nuclear = nucléaire
sector-infrastructure-water = eau
sector-insurance = assurance
sector-manufacturing = industrie manufacturière
sector-mining = mines
sector-non-profit = associations
sector-nuclear = nucléaire
sector-pharmaceuticals = industrie pharmaceutique
sector-retail = commerce de détail
sector-technology = technologies
sector-telecommunications = télécommunications
sector-transport = transports
sector-transportation = transports
sector-utilities = services collectifs
sector-water = eau

## Mis en attente, et la vie d’un indicateur
tab-held = En attente
held-title = En attente
held-lead = Ce qui est arrivé et nuirait à tous si c’était faux : personne ne le recherche, ne le bloque ni ne le trouve avant qu’un curateur d’un autre membre l’ait examiné.
held-heading = Objets en attente
held-none = Rien n’est en attente
held-none-text = Un objet daté dans le futur, ou un indicateur qui bloquerait ce que tout le monde utilise, attendrait ici.
held-why = Motif
held-since = Depuis
held-release = Libérer
held-reject = Rejeter
held-reason = Motif du rejet
held-life-held-ahead = Daté dans le futur
held-life-held-warninglist = Connu comme inoffensif
held-life-held-too-broad = Trop large
problem-held-release-own = Votre propre membre a envoyé cet objet : un curateur d’un autre membre le libère. Vous pouvez le rejeter.
problem-curate-reason = Dites en quelques mots pourquoi (2 000 octets au plus).
life-title = Vie
life-stage = Étape
life-score = Score (0 à 100)
life-sighted = Vu la dernière fois
life-ends = Prend fin si rien ne se passe
life-disputes = Faux positif
life-disputed = { $count ->
    [one] un membre l’affirme
   *[other] { $shown } membres l’affirment
}
stage-quarantined = en attente
stage-active = actif
stage-sighted = observé
stage-decaying = en déclin
stage-expired = terminé
stage-recalled = retiré
dispute-title = Faux positif ?
dispute-text = Affirme, au nom de votre membre, que c’est inoffensif. Un membre réduit le score de moitié, un deuxième y met fin.
dispute-do = Signaler un faux positif
kind-object-held = Objet mis en attente
kind-object-released = Objet libéré
kind-object-rejected = Objet rejeté
kind-indicator-disputed = Indicateur signalé comme faux positif
# Ce qui partage quelque chose avec un objet
shared-title = Liés, et pourquoi
shared-count = { $count ->
    [one] { $shown } objet
   *[other] { $shown } objets
  }
shared-none = Rien d’autre de ce que vous pouvez voir ne partage avec ceci une valeur, un hôte, un réseau ou une référence.
shared-by = { $count ->
    [one] { $shown } objet la partage
   *[other] { $shown } objets la partagent
  }
shared-by-more = plus de { $shown } objets la partagent
column-why = Pourquoi
column-tells = Parlant
tie-strong = beaucoup
tie-fair = assez
tie-weak = peu
tie-common = trop courant pour être parlant
tie-same-value = Même valeur
tie-same-host = Même hôte
tie-same-certificate = Même certificat
tie-in-network = Se trouve dans le réseau
tie-holds-address = Se trouve dans ce réseau
tie-same-parent = Hôtes sous un même nom
tie-same-site = Même domaine enregistré
tie-neighbours = Voisins dans un même réseau
tie-same-vulnerability = Même vulnérabilité
tie-same-technique = Même technique

# Le langage de recherche
search-help-title = Comment rechercher
search-help-lead = Écrivez des mots qui doivent tous figurer, une expression entre guillemets, ou des champs avec une valeur. Tout doit être vrai ; un même champ deux fois demande l’un ou l’autre.
search-help-type = ce type d’objet seulement
search-help-value = contient exactement cette valeur ; les graphies telles que hxxp et [.] sont comprises
search-help-under = les hôtes sous un nom, ou les adresses dans un réseau
search-help-mark = par marquage, rôle ou étiquette
search-help-who = par qui l’a partagé, où, ou qui l’a fait
search-help-state = active, expired, revoked ou recalled : actif, expiré, révoqué ou repris
search-help-time = par la date de réception ou de dernière observation : un jour, un mois, une année ou un instant, après >, >=, < ou <=, ou de..à
search-help-not = un signe moins dit : pas ceci
search-keep-this = Garder cette recherche

## Flux sortants
tab-feeds = Flux sortants
feeds-title = Flux sortants
feeds-lead = Ce que vos propres équipements peuvent bloquer, dans la forme que chacun lit. Rien de ce qui a été retiré, est terminé, est en attente, ou bloquerait aussi un arrêt d’urgence ou une victime n’y figure jamais.
feeds-token = Un équipement donne un jeton d’API comme mot de passe, avec n’importe quel nom, ou comme jeton Bearer. Rôles qui prennent les flux : sonde, pair, analyste, officier. Avec If-None-Match, un équipement ne reprend un flux que s’il a changé.
feeds-example = Exemple
feeds-heading = Flux
feeds-listed = { $count ->
    [one] une valeur
   *[other] { $shown } valeurs
}
feeds-address = Adresse
feeds-file = Nom du fichier
feeds-how = Mode d’emploi
feeds-out = Ce qui est omis
feeds-out-none = Rien n’est omis.
feeds-count = Nombre
feeds-filters = Ajoutez ?explain=1 à une adresse pour la liste de ce qui est omis. Filtres : kind, group, confidence, score, days, marking ; since, avec le X-Feed-Cursor d’une réponse précédente, donne les lignes ajoutées et retirées.
feed-how-plain = Une valeur par ligne, pour tout le reste.
feed-how-csv = Un tableau avec ce que l’on sait de chaque valeur, pour scripts et tableurs.
feed-how-hosts = Pour /etc/hosts ou Pi-hole : chaque domaine à une adresse que personne n’a.
feed-how-rpz = Une zone de politique de réponse pour BIND, Unbound, PowerDNS ou Knot : chargez-la comme zone primaire de ce nom et citez-la dans response-policy.
feed-how-suricata-rules = Des règles pour Suricata : placez le fichier dans rule-files. Les numéros des règles ne changent pas.
feed-how-suricata-domains = Un jeu de domaines, pour les règles de suricata-datasets ; un million y tiennent.
feed-how-suricata-ips = Un jeu d’adresses, pour les règles de suricata-datasets.
feed-how-suricata-ja3 = Un jeu d’empreintes JA3, pour les règles de suricata-datasets.
feed-how-suricata-datasets = Les règles qui chargent les trois jeux : placez les quatre fichiers dans le dossier des règles.
feed-how-zeek = Pour Zeek : citez le fichier dans Intel::read_files.
feed-how-stix = Les indicateurs tels que leurs propriétaires les ont envoyés, dans un paquet STIX 2.1.
feed-how-misp = Un flux MISP : ajoutez l’adresse comme flux dans MISP.
left-out-held = En attente de l’avis d’un curateur
left-out-expired = Terminé
left-out-recalled = Retiré
left-out-revoked = Révoqué
left-out-no-values = Un motif qui n’est pas une liste de valeurs
left-out-not-for-blocking = Dans un rôle qui n’est jamais bloqué
left-out-protected = Bloquerait ce qui doit rester joignable
left-out-too-broad = Trop large, ou local à chaque réseau
left-out-filtered = Non demandé
left-out-repeated = Déjà dans la liste
left-out-no-place = D’un type pour lequel ce format n’a pas de place
left-out-unwritable = Impossible à écrire dans ce format
# Recherches gardées
tab-saved = Recherches gardées
saved-title = Recherches gardées
saved-lead = Les recherches que vous gardez, et comment vous apprenez les nouveaux objets qui y répondent. Vous n’apprenez jamais plus que ce que vous pouvez lire à cet instant.
saved-heading = Vos recherches
saved-none = Vous ne gardez encore aucune recherche
saved-none-text = Cherchez sous Renseignement et gardez ce que vous redemanderiez, ou écrivez une recherche ci-dessous.
saved-name = Nom
saved-told = Vous l’apprenez par
saved-log = Derniers envois
saved-log-none = aucun encore
saved-remove = Retirer
saved-new = Garder une recherche
saved-query-hint = Comme dans le champ de recherche : des mots, et des champs tels que type:indicator ou value:"evil.example".
saved-stream = Me le dire sur le flux en direct
saved-webhook = Envoyer à cette adresse
saved-webhook-hint = Une adresse https à vous. Chaque envoi est signé ; le secret est montré une fois, après l’enregistrement. TLP:RED n’est jamais envoyé.
saved-email = Écrire à cette adresse
saved-email-hint = Un courriel dit combien il y a de nouveau et où regarder, pas ce qui s’y trouve.
saved-keep = Garder la recherche
saved-secret = Le secret qui signe vos envois.
saved-secret-text = Il n’est montré que cette fois. Comparez la signature de X-Shieldwall-Signature avec HMAC-SHA-256 sur l’instant, un point et le corps.
saved-way-stream = flux en direct
saved-way-webhook = envoi
saved-way-email = courriel
saved-outcome-delivered = arrivé
saved-outcome-failed = échoué, sera réessayé
saved-outcome-given-up = abandonné
# Peers and sources

tab-peers = Pairs
tab-sources = Sources
kind-exchange-received = Objets venus d’un pair
soon = bientôt
peers-title = Pairs
peers-lead = Les autres nœuds et serveurs avec lesquels votre alliance échange. RED et AMBER+STRICT ne partent jamais ; AMBER ne part que des groupes désignés.
peers-none = Pas encore de pairs
peers-none-text = Un opérateur configure un autre nœud ou un serveur TAXII 2.1, et les groupes échangés avec lui.
peer-add = Configurer un pair
peer-kind-hub = Nœud Shieldwall
peer-kind-taxii = Serveur TAXII 2.1
peer-direction-pull = Depuis le pair
peer-direction-push = Vers le pair
peer-direction-both = Dans les deux sens
peer-url-hint = L’adresse d’un nœud, ou celle d’une racine d’API TAXII.
peer-member = Le membre pour lequel il agit ici
peer-member-hint = Admettez d’abord un partenaire pour lui ; il voit ce à quoi ce membre est partie.
peer-remote = Le groupe ou la collection là-bas
peer-remote-hint = Son identifiant ; le même qu’ici si le champ reste vide.
peer-marking-max = Le marquage le plus strict qui part
peer-marking-hint = Un objet non marqué compte pour ce que son groupe peut porter au plus.
peer-amber = Les objets AMBER de ce groupe peuvent partir vers ce pair
peer-not-party = Les chiffres sont dits aux parties du groupe.
exchange-paused = En pause
exchange-busy = En cours
exchange-failed = Échec
exchange-good = Bon
exchange-new = Pas encore lancé
exchange-run = Lancer
exchange-pause = Suspendre
exchange-resume = Reprendre
exchange-remove = Retirer
column-peer = Pair
column-direction = Sens
column-done = Dernier passage
column-next = Prochain
column-in = Entrés
column-out = Sortis
column-stopped = Arrêtés
column-looped = Par leur chemin
column-group = Groupe de partage
field-url = Adresse
field-user = Utilisateur
field-user-hint = Pour un mot de passe ; à laisser vide pour un jeton.
field-secret = Jeton ou mot de passe
field-secret-hint = Il est gardé scellé et n’est plus jamais montré.
sources-title = Sources
sources-lead = Ce que votre membre prend de son côté : listes, rapports et STIX, récupérés régulièrement ou remis.
sources-none = Pas encore de sources
sources-none-text = Configurez-en une ci-dessous, et regardez ce qu’elle apporterait avant tout partage.
source-add = Configurer une source
source-format = Comment elle est écrite
source-format-plain = Liste, une valeur par ligne
source-format-csv = CSV
source-format-text = Prose
source-format-stix = STIX 2.1 ou TAXII
source-url-hint = À laisser vide pour une source dont vous remettez le contenu.
source-column = Colonne des valeurs
source-column-hint = Pour un CSV : son titre, ou son numéro à partir de 1 ; trouvée d’elle-même si le champ reste vide.
source-unmarked = Non marqué
source-trust = Confiance
source-trust-hint = De 0 à 100 ; la confiance de ses indicateurs.
source-expiry = Jours de validité d’un indicateur après sa dernière mention
source-interval = À quelle fréquence elle est récupérée
source-every-0 = Sur demande
source-every-900 = Tous les quarts d’heure
source-every-3600 = Toutes les heures
source-every-86400 = Tous les jours
source-authoritative = Ce qu’elle ne mentionne plus est retiré
source-preview = Regarder d’abord
source-preview-title = Ce que cette source apporterait
source-preview-lead = Rien n’a encore été partagé.
source-preview-figures = En chiffres
source-preview-shared = Le début de ce qui serait partagé
source-preview-refused = Le début de ce qui serait refusé
source-confirm = Retirer ce qui a disparu même si c’est plus de la moitié
source-take = Prendre
source-leave = Laisser
source-hand-in = Remettre son contenu
source-content = Contenu
column-source = Source
column-found = Trouvés
column-new = Nouveaux
column-known = Connus
column-gone = Disparus
column-refused = Refusés
